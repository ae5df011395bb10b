"""Destinations: where the records of what came of events may go.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lambent.services.lambda_.errors import event_invoke as errors

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOPIC: Final = re.compile(r"kafka://.+")
_FORMS: Final = {
    "events": re.compile(r"arn:[^:]+:events:[^:]*:[^:]*:event-bus/.+"),
    "lambda": re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:[^:]+(:[^:]+)?"),
    "s3": re.compile(r"arn:[^:]+:s3:::[^/]+"),
    "sns": re.compile(r"arn:[^:]+:sns:[^:]*:[^:]*:.+(?<!\.fifo)"),
    "sqs": re.compile(r"arn:[^:]+:sqs:[^:]*:[^:]*:.+(?<!\.fifo)"),
}
_SUCCESS: Final = ("events", "lambda", "sns", "sqs")
_FAILURE: Final = (*_SUCCESS, "s3")
_GIVEN_UP: Final = ("s3", "sns", "sqs")


def on_success(config: Mapping[str, Any]) -> dict[str, str]:
    """The OnSuccess of a DestinationConfig as AWS shows it: empty where there is no destination."""
    return _shown(config, "OnSuccess")


def on_failure(config: Mapping[str, Any]) -> dict[str, str]:
    """The OnFailure of a DestinationConfig as AWS shows it: empty where there is no destination."""
    return _shown(config, "OnFailure")


def check_invoked(success: str | None, failure: str | None) -> None:
    """Raise AWS's error unless asynchronous invocations may send their records there."""
    if _is(success, _SUCCESS) and _is(failure, _FAILURE):
        return
    raise errors.bad_destination_config(success, failure)


def check_given_up(failure: str | None, *, topics: bool) -> None:
    """Raise AWS's error unless a mapping may send there what it has given up; `topics` says whether to Kafka, too."""
    if _is(failure, _GIVEN_UP) or (topics and failure and _TOPIC.fullmatch(failure)):
        return
    raise errors.bad_destination_config(None, failure)


def _shown(config: Mapping[str, Any], member: str) -> dict[str, str]:
    destination = config.get(member, {}).get("Destination")
    return {"Destination": destination} if destination else {}


def _is(destination: str | None, services: tuple[str, ...]) -> bool:
    return not destination or any(_FORMS[service].fullmatch(destination) for service in services)
