"""What becomes of an event once it was tried."""

from __future__ import annotations

import pytest

from lambent.kernel import limits
from lambent.services.lambda_.records.events import Attempt, Envelope, Settings
from lambent.services.lambda_.rules.async_outcomes import PASSING, Done, Retry, Wait, decide, too_old

NOW_MS = 1_000_000
SETTINGS = Settings(retries=2, age_s=3600)
WELL = Attempt(version="1", payload=b"null")
FAILED = Attempt(version="1", payload=b"{}", error="Unhandled")


def envelope(runs: int = 1, age_s: float = 0) -> Envelope:
    return Envelope(request_id="r", accepted_ms=NOW_MS - int(age_s * 1000), runs=runs)


def refused(code: str, reason: str | None = None) -> Attempt:
    return Attempt(refusal=code, reason=reason)


@pytest.mark.parametrize(
    ("runs", "retries", "verdict"),
    [
        (1, 2, Retry(NOW_MS + limits.ASYNC_RETRY_FIRST_S * 1000)),
        (2, 2, Retry(NOW_MS + limits.ASYNC_RETRY_LATER_S * 1000)),
        (3, 2, Done("RetriesExhausted")),
        (1, 0, Done("RetriesExhausted")),
        (2, 1, Done("RetriesExhausted")),
    ],
)
def test_a_function_that_fails_is_run_again(runs: int, retries: int, verdict: Retry | Done) -> None:
    assert decide(envelope(runs), FAILED, Settings(retries=retries, age_s=3600), NOW_MS) == verdict


def test_a_success_is_one_at_any_age() -> None:
    assert decide(envelope(age_s=9999), WELL, SETTINGS, NOW_MS) == Done("Success")


def test_a_retry_comes_before_the_event_is_too_old_or_not_at_all() -> None:
    last = SETTINGS.age_s - limits.ASYNC_RETRY_FIRST_S
    assert isinstance(decide(envelope(age_s=last), FAILED, SETTINGS, NOW_MS), Retry)
    assert decide(envelope(age_s=last + 0.001), FAILED, SETTINGS, NOW_MS) == Done("EventAgeExceeded")


def test_no_retries_are_left_before_the_age_is_asked() -> None:
    late = envelope(runs=3, age_s=SETTINGS.age_s)
    assert decide(late, FAILED, SETTINGS, NOW_MS) == Done("RetriesExhausted")


@pytest.mark.parametrize("code", sorted(PASSING))
def test_what_passes_is_waited_for_until_the_event_is_too_old(code: str) -> None:
    until_ms = NOW_MS + SETTINGS.age_s * 1000 + 1
    everywhere = code == "ServiceException"
    assert decide(envelope(0), refused(code), SETTINGS, NOW_MS) == Wait(everywhere, until_ms)
    late = envelope(0, SETTINGS.age_s + 0.001)
    assert decide(late, refused(code), SETTINGS, NOW_MS) == Done("EventAgeExceeded")


def test_the_accounts_limit_is_everybodys() -> None:
    for reason, everywhere in (
        ("ConcurrentInvocationLimitExceeded", True),
        ("ReservedFunctionConcurrentInvocationLimitExceeded", False),
        ("FunctionInvocationRateLimitExceeded", False),
    ):
        verdict = decide(envelope(0), refused("TooManyRequestsException", reason), SETTINGS, NOW_MS)
        assert isinstance(verdict, Wait)
        assert verdict.everywhere is everywhere


def test_a_function_without_concurrency_is_not_waited_for() -> None:
    settings = Settings(retries=2, age_s=3600, reserved=0)
    throttled = refused("TooManyRequestsException")
    assert decide(envelope(0), throttled, settings, NOW_MS) == Done("ZeroReservedConcurrency")
    assert isinstance(decide(envelope(0), refused("ServiceException"), settings, NOW_MS), Wait)


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "RecursiveInvocationException", "NotImplemented"])
def test_what_does_not_pass_is_given_up(code: str) -> None:
    assert decide(envelope(0), refused(code), SETTINGS, NOW_MS) == Done("RetriesExhausted")


def test_an_event_is_too_old_after_its_age() -> None:
    assert not too_old(envelope(0, SETTINGS.age_s), SETTINGS, NOW_MS)
    assert too_old(envelope(0, SETTINGS.age_s + 0.001), SETTINGS, NOW_MS)
