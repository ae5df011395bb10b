"""The screen of a front: of which requests it waits for the body."""

from __future__ import annotations

import pytest

from lambent.kernel import limits
from lambent.kernel.clock import VirtualClock
from lambent.kernel.ids import SystemIds
from lambent.kernel.settings import Settings
from lambent.services.sts.authority import SessionAuthority
from lambent.wire.fronts.screen import Screen
from lambent.wire.http import HttpRequest
from lambent.wire.models import Models
from lambent.wire.sigv4 import iso

PATH = "/2015-03-31/functions/f/invocations"


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(SystemIds())


@pytest.mark.parametrize(
    ("key", "age", "service", "token", "wanted"),
    [
        ("test", 0, "lambda", None, True),
        ("123456789012", 0, "lambda", None, True),
        ("nobody", 0, "lambda", None, False),
        ("ASIAEXAMPLE", 0, "lambda", "sealed elsewhere", False),
        ("test", limits.CLOCK_SKEW_S + 1, "lambda", None, False),
        ("test", -limits.CLOCK_AHEAD_S - 1, "lambda", None, False),
        ("test", 0, "logs", None, False),
    ],
    ids=["known", "an account", "unknown", "another's session", "late", "early", "another service"],
)
async def test_only_the_bodies_of_the_known_are_waited_for(
    models: Models, key: str, age: float, service: str, token: str | None, *, wanted: bool
) -> None:
    clock, ids, settings = VirtualClock(), SystemIds(), Settings()
    screen = Screen(models, SessionAuthority(settings, clock, ids, bytes(32)), clock, settings, ())
    signed = iso(clock.time() - age)
    scope = f"{key}/{signed[:8]}/us-east-1/{service}/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    headers = [("host", "localhost"), ("x-amz-date", signed), ("authorization", authorization)]
    if token is not None:
        headers.append(("x-amz-security-token", token))
    assert (screen.wants(HttpRequest("POST", PATH, "", headers)) is not None) is wanted
