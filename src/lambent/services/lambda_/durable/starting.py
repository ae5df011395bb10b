"""How durable executions begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.compute.function import FunctionVersion  # noqa: TC001 msgspec reads it at run time
from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import durable as durable_errors
from lambent.services.lambda_.records import LATEST, FunctionKey
from lambent.services.lambda_.records.durable import Execution, Parent
from lambent.services.lambda_.rules import durable_life, names
from lambent.services.lambda_.store import durable, functions, versions

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.configuration import Configuration, Durability
    from lambent.store.api import Transaction


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution begins with."""

    version: FunctionVersion
    event: str | None
    name: str
    execution_id: str
    result_bytes: int
    tenant_id: str | None = None
    trace: str = ""
    parent: Parent | None = None
    queued: str | None = None


async def start(
    parts: Parts,
    version: FunctionVersion,
    event: bytes,
    *,
    name: str | None,
    waits: bool,
    tenant_id: str | None = None,
    trace: str = "",
    request_id: str | None = None,
) -> Execution:
    """Begin an execution of `version` with `event`; where there is one of that name already, with the same event, it
    is that one. `waits` says whether the caller waits for its end; `request_id` is that of a caller who does not.
    Raises AWS's errors.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html
    """
    if not waits and len(event) > limits.DURABLE_EVENT_BYTES:
        raise errors.event_too_large(len(event))
    wanted = Start(
        version=version,
        event=event.decode(),
        name=name or parts.ids.uuid(),
        execution_id=parts.ids.uuid(),
        result_bytes=limits.INVOKE_PAYLOAD_BYTES if waits else limits.DURABLE_EVENT_BYTES,
        tenant_id=tenant_id,
        trace=trace,
        queued=None if waits else request_id or parts.ids.uuid(),
    )
    now_ms = parts.now_ms()

    def work(tx: Transaction) -> Execution:
        durability = _durability(tx, version)
        if waits and durability.timeout_s > limits.DURABLE_SYNC_S:
            raise durable_errors.too_long_to_wait()
        found = durable.find_name(tx, key_of(version), wanted.name)
        if found is None:
            return begin(tx, wanted, now_ms)
        _check_same(tx, found, wanted)
        return found

    return await parts.executions.change(wanted.execution_id, work)


def begin(tx: Transaction, wanted: Start, now_ms: int) -> Execution:
    """Store a new execution, whose name is free, with the limits that its version has now. Raises AWS's error where
    the version is gone."""
    key, durability = key_of(wanted.version), _durability(tx, wanted.version)
    execution = Execution(
        id=wanted.execution_id,
        account=key.account,
        region=key.region,
        function=key.name,
        version=wanted.version.version,
        name=wanted.name,
        durability=durability,
        result_bytes=wanted.result_bytes,
        started_ms=now_ms,
        deadline_ms=now_ms + durability.timeout_s * 1000,
        tenant_id=wanted.tenant_id,
        trace=wanted.trace,
        parent=wanted.parent,
        queued=wanted.queued,
    )
    durable.insert(tx, durable_life.begun(execution, wanted.event))
    return execution


def _durability(tx: Transaction, version: FunctionVersion) -> Durability:
    key, label = key_of(version), version.version
    held = configuration(tx, key, label)
    if held is None or held.durability is None:
        raise errors.not_found(key, label)
    return held.durability


def configuration(tx: Transaction, key: FunctionKey, label: str) -> Configuration | None:
    """How a version is configured; None where it is gone."""
    held = functions.find(tx, key) if label == LATEST else versions.find(tx, key, names.number(label))
    return None if held is None else held.configuration


def key_of(version: FunctionVersion) -> FunctionKey:
    """The function that it is a version of."""
    return FunctionKey(version.account, version.region, version.name)


def _check_same(tx: Transaction, found: Execution, wanted: Start) -> None:
    """Raise AWS's error where the name stands for something else than is wanted. What another tenant's execution
    returns is for nobody else."""
    first = durable.operation(tx, found.id, found.id)
    same = first is not None and first.payload == wanted.event and found.version == wanted.version.version
    if found.deleting or not same or found.tenant_id != wanted.tenant_id:
        raise durable_errors.already_started(found)
