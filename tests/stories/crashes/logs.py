"""A scenario for each operation of CloudWatch Logs that changes something."""

from __future__ import annotations

import time

from tests.stories.crashes.lambda_ import step
from tests.stories.crashes.scenario import Scenario, Step

G = {"logGroupName": "g"}
S = {**G, "logStreamName": "s"}
ARN = {"resourceArn": "arn:aws:logs:us-east-1:<account>:log-group:g"}
TAGS = {"tags": {"a": "b"}}
EVENTS = {"logEvents": [{"timestamp": int(time.time() * 1000), "message": f"m{number}"} for number in range(3)]}
GROUP = step("CreateLogGroup", G)
STREAM = (GROUP, step("CreateLogStream", S))
FILLED = (*STREAM, step("PutLogEvents", S, EVENTS))
GROUPS = (
    step("DescribeLogGroups"),
    step("ListLogGroups"),
    step("ListTagsForResource", ARN),
    step("ListTagsLogGroup", G),
)
STREAMS = (*GROUPS, step("DescribeLogStreams", G), step("GetLogEvents", S), step("FilterLogEvents", G))


def _of(operation: str, request: dict[str, object], given: tuple[Step, ...], seen: tuple[Step, ...]) -> Scenario:
    return Scenario(operation, request, given, seen, service="logs")


SCENARIOS = (
    _of("CreateLogGroup", {**G, **TAGS}, (), GROUPS),
    _of("DeleteLogGroup", G, FILLED, STREAMS),
    _of("PutLogGroupDeletionProtection", {"logGroupIdentifier": "g", "deletionProtectionEnabled": True}, (GROUP,),
        GROUPS),
    _of("CreateLogStream", S, (GROUP,), STREAMS),
    _of("DeleteLogStream", S, FILLED, STREAMS),
    _of("PutLogEvents", {**S, **EVENTS}, STREAM, STREAMS),
    _of("PutRetentionPolicy", {**G, "retentionInDays": 7}, (GROUP,), GROUPS),
    _of("DeleteRetentionPolicy", G, (GROUP, step("PutRetentionPolicy", G, {"retentionInDays": 7})), GROUPS),
    _of("TagResource", {**ARN, **TAGS}, (GROUP,), GROUPS),
    _of("UntagResource", {**ARN, "tagKeys": ["a"]}, (GROUP, step("TagResource", ARN, TAGS)), GROUPS),
    _of("TagLogGroup", {**G, **TAGS}, (GROUP,), GROUPS),
    _of("UntagLogGroup", {**G, "tags": ["a"]}, (GROUP, step("TagLogGroup", G, TAGS)), GROUPS),
)  # fmt: skip
