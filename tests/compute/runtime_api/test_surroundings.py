"""What any process of an environment may ask, and what nobody is answered."""

from __future__ import annotations

import pytest

from tests.compute.runtime_api.harness import EXTENSION, REQUEST_ID, RUNTIME, Bench

METADATA = "/2026-01-15/metadata/execution-environment"


async def test_ping(bench: Bench) -> None:
    answer = await (await bench.guest()).call("GET", "/2018-06-01/ping?x=1")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"pong", "text/plain; charset=utf-8")


@pytest.mark.parametrize("path", ["/", "/nope", f"{RUNTIME}/invocation/x", f"{RUNTIME}/invocation/x/y", "*"])
async def test_an_unknown_path_is_not_found(bench: Bench, path: str) -> None:
    answer = await (await bench.guest()).call("GET", path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/2018-06-01/ping", "GET"),
        ("PUT", f"{RUNTIME}/invocation/next", "GET"),
        ("GET", f"{RUNTIME}/invocation/{REQUEST_ID}/response", "POST"),
        ("GET", f"{EXTENSION}/register", "POST"),
        ("POST", "/2022-07-01/telemetry", "PUT"),
    ],
)
async def test_a_wrong_method_is_not_allowed(bench: Bench, method: str, path: str, allowed: str) -> None:
    answer = await (await bench.guest()).call(method, path)
    assert (answer.status, answer.headers["allow"], answer.body) == (405, allowed, b"")


async def test_metadata_is_for_whoever_has_the_token(bench: Bench) -> None:
    guest = await bench.guest()
    for shown in ({}, {"Authorization": "Bearer other"}, {"Authorization": "metadata-token"}):
        answer = await guest.call("GET", METADATA, **shown)
        assert (answer.status, answer.body) == (401, b"Unauthorized\n")
    answer = await guest.call("GET", METADATA, Authorization="Bearer metadata-token")
    assert (answer.status, answer.body) == (200, b'{"AvailabilityZoneID":"use1-az1"}')
    assert answer.headers["cache-control"] == "private, max-age=43200, immutable"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [f"{RUNTIME}/restore/next", f"{RUNTIME}/restore/error", "/2021-04-23/credentials"])
async def test_what_belongs_to_snap_start_is_unknown_without_it(bench: Bench, method: str, path: str) -> None:
    answer = await (await bench.guest()).call(method, path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


async def test_credentials_are_served_with_snap_start_only(bench: Bench) -> None:
    assert (await (await bench.guest()).call("GET", "/2021-04-23/credentials", Authorization="right")).status == 404
    other = Bench(snap_start=True)
    guest = await other.guest()
    refused = await guest.call("GET", "/2021-04-23/credentials", Authorization="wrong")
    assert (refused.status, refused.body) == (404, b"cannot get credentials for the provided token\n")
    given = await guest.call("GET", "/2021-04-23/credentials", Authorization="right")
    assert (given.status, given.body) == (200, b'{"AccessKeyId":"ASIA"}')
    await other.close()
