"""AWS's errors as values."""

from __future__ import annotations

from lambent.kernel.errors import AwsError, not_built


def test_an_error_carries_its_code_its_words_and_its_members() -> None:
    error = AwsError("TooManyRequestsException", "Rate Exceeded.", Reason="CallerRateLimitExceeded")
    assert str(error) == "TooManyRequestsException: Rate Exceeded."
    assert error.members == {"Reason": "CallerRateLimitExceeded"}
    assert error.status is None


def test_what_is_not_built_is_named_with_status_501() -> None:
    error = not_built("lambda", "CreateAlias")
    assert (error.code, error.status) == ("NotImplemented", 501)
    assert "lambda:CreateAlias" in error.message
