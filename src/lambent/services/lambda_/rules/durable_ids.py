"""The opaque names of durable executions: their ARNs, checkpoint tokens and callback ids."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

_ARN = re.compile(
    r"arn:[^:]+:lambda:(?P<region>[^:]+):(?P<account>\d{12}):function:(?P<function>[^:]+):(?P<version>[^/]+)"
    r"/durable-execution/(?P<name>[^/]+)/(?P<id>[^/]+)"
)


class Token(msgspec.Struct, frozen=True, array_like=True):
    """What a checkpoint token stands for. It is good for one checkpoint of one invocation."""

    execution_id: str
    invocation: str
    number: int


class CallbackId(msgspec.Struct, frozen=True, array_like=True):
    """What a callback id stands for. Nobody can guess the secret."""

    execution_id: str
    operation_id: str
    secret: str


def execution_id(arn: str) -> str:
    """The id of the execution that `arn`, which has passed the model's pattern, names."""
    match = _ARN.fullmatch(arn)
    assert match is not None, "the model's pattern let the ARN through"
    return match["id"]


def written(value: Token | CallbackId) -> str:
    """The text of a token or a callback id."""
    return base64.b64encode(msgspec.json.encode(value)).decode()


def token(text: str) -> Token | None:
    """What the checkpoint token stands for; None where it is none of ours."""
    return _read(text, Token)


def callback(text: str) -> CallbackId | None:
    """What the callback id stands for; None where it is none of ours."""
    return _read(text, CallbackId)


def _read(text: str, form: type[T]) -> T | None:
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=form)
    except (binascii.Error, ValueError):
        return None
