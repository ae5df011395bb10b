"""How much of packages an account has stored, and that it cannot store more than it may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import create, new, own_client, publish, refused, settle
from tests.services.lambda_.packages import archive, package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Server

SIZE = len(package("echo"))
FULL = "Code storage limit exceeded."
LIMIT = "CodeStorageExceededException"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose accounts may store three packages."""
    with serving(settings_for(tmp_path_factory.mktemp("server"), code_bytes=3 * SIZE)) as server:
        yield server


@pytest.fixture
def client(narrow: Server) -> Any:
    return own_client(narrow)


def used(client: Any) -> int:
    size: int = client.get_account_settings()["AccountUsage"]["TotalCodeSize"]
    return size


def larger(packages: int) -> bytes:
    """A package as large as so many of the usual ones, and a little more."""
    noise = bytes((7 * number * number) % 251 for number in range(packages * SIZE))
    return archive({"index.py": b"", "noise": noise, "more": noise[::-1]})


def test_functions_versions_and_layers_count(client: Any) -> None:
    assert client.get_account_settings()["AccountLimit"]["TotalCodeSize"] == 3 * SIZE
    create(client, "f")
    assert used(client) == SIZE
    publish(client, "f")
    assert used(client) == 2 * SIZE
    client.publish_layer_version(LayerName="l", Content={"ZipFile": package("echo")})
    assert used(client) == 3 * SIZE
    client.update_function_configuration(FunctionName="f", Timeout=9)
    settle(client, "f")
    assert used(client) == 3 * SIZE
    client.delete_layer_version(LayerName="l", VersionNumber=1)
    client.delete_function(FunctionName="f")
    assert used(client) == 0


def test_what_would_be_too_much_is_refused_and_leaves_nothing(client: Any) -> None:
    create(client, "f")
    for timeout in (8, 9):
        publish(client, "f")
        client.update_function_configuration(FunctionName="f", Timeout=timeout)
        settle(client, "f")
    before = settle(client, "f")
    layer = {"LayerName": "l", "Content": {"ZipFile": package("echo")}}
    code = {"FunctionName": "f", "ZipFile": package("version_one")}
    for call, members in (
        (client.create_function, new("g")),
        (client.publish_version, {"FunctionName": "f"}),
        (client.publish_layer_version, layer),
        (client.update_function_code, code | {"Publish": True}),
    ):
        assert refused(client, LIMIT, call, **members) == FULL
    assert used(client) == 3 * SIZE
    after = client.get_function_configuration(FunctionName="f")
    assert after["RevisionId"] == before["RevisionId"]
    client.delete_function(FunctionName="f", Qualifier="1")
    create(client, "g")


def test_an_update_may_shrink_what_is_full_and_not_let_it_grow(client: Any) -> None:
    create(client, "f")
    create(client, "g")
    create(client, "h")
    grown = {"FunctionName": "f", "ZipFile": larger(3)}
    assert refused(client, LIMIT, client.update_function_code, **grown) == FULL
    client.update_function_code(FunctionName="f", ZipFile=package("nothing"))
    settle(client, "f")
    assert used(client) == 2 * SIZE + len(package("nothing"))


def test_accounts_and_regions_are_counted_apart(narrow: Server, client: Any) -> None:
    for name in ("f", "g", "h"):
        create(client, name)
    create(own_client(narrow), "f")
    create(own_client(narrow, region_name="eu-west-1"), "f")
    refused(client, LIMIT, client.create_function, **new("i"))


def test_rows_from_before_sizes_had_a_column_count(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        create(client, "f")
        publish(client, "f")
        client.publish_layer_version(LayerName="l", Content={"ZipFile": package("echo")})
        for table in ("lambda_function", "lambda_version", "lambda_layer_version"):
            statement = f"UPDATE {table} SET code_size = NULL"
            server.run(lambda statement=statement: server.app.store.write(lambda tx: tx.run(statement)))
        assert used(client) == 3 * SIZE
