"""Calls of other functions by durable executions: what is called, and what a call begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_ import errors, routes, running
from lambent.services.lambda_.durable import starting
from lambent.services.lambda_.errors import durable as durable_errors
from lambent.services.lambda_.records import LATEST, FunctionKey
from lambent.services.lambda_.records.durable import Parent
from lambent.services.lambda_.rules import durable_life, names
from lambent.services.lambda_.rules.durable_drafts import payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.compute.function import FunctionVersion
    from lambent.services.lambda_.records.durable import Execution, Operation
    from lambent.services.lambda_.rules.durable_drafts import Draft
    from lambent.services.lambda_.rules.durable_updates import Update
    from lambent.store.api import Transaction


class Fresh(msgspec.Struct, frozen=True):
    """What a call may need of randomness, drawn before the transaction."""

    name: str
    execution_id: str
    share: float
    """From 0 to 1: which version of an alias that is split."""


class Caller:
    """Makes something of the calls that one checkpoint starts, in its transaction.

    What cannot be called fails the call at once. A durable function begins an execution; any other is called by the
    driver.
    """

    def __init__(self, tx: Transaction, draft: Draft, fresh: Mapping[str, Fresh]) -> None:
        self._tx = tx
        self._draft = draft
        self._fresh = fresh

    def __call__(self, operation: Operation, update: Update) -> None:
        """Begin the call that `update` asks for with its `operation`."""
        options: dict[str, Any] = update["ChainedInvokeOptions"]
        details: dict[str, Any] = {"FunctionName": options["FunctionName"]}
        if "TenantId" in options:
            details["TenantId"] = options["TenantId"]
        key, qualifier = _parsed(options["FunctionName"], self._draft.execution.key)
        operation = self._draft.change(
            operation,
            payload=update.get("Payload"),
            tenant_id=options.get("TenantId"),
            trace=options.get("XAmznTraceId", self._draft.execution.trace),
        )
        try:
            version = self._version(key, qualifier, operation)
        except AwsError as refusal:
            self._draft.tell("ChainedInvokeStarted", details, operation)
            error = {"ErrorMessage": refusal.message, "ErrorType": refusal.code}
            durable_life.answer_call(self._draft, operation, "FAILED", None, error)
            return
        details |= {"Input": payload(operation.payload), "ExecutedVersion": version.version}
        members: dict[str, Any] = {"function": version.name, "version": version.version}
        if version.durable:
            child = self._child(operation, version)
            members["child_id"] = child.id
            details["DurableExecutionArn"] = child.arn
        self._draft.tell("ChainedInvokeStarted", details, self._draft.change(operation, **members))

    def _version(self, key: FunctionKey, qualifier: str | None, operation: Operation) -> FunctionVersion:
        """What is called. Raises AWS's errors where nothing can be."""
        route = routes.find(self._tx, key, qualifier or LATEST)
        if route is None:
            raise errors.not_ready("Pending")
        version = route.at(self._fresh[operation.id].share)
        if version.durable and qualifier is None:
            raise durable_errors.not_qualified()
        running.check_tenant(version, operation.tenant_id)
        return version

    def _child(self, operation: Operation, version: FunctionVersion) -> Execution:
        fresh = self._fresh[operation.id]
        start = starting.Start(
            version=version,
            event=operation.payload,
            name=fresh.name,
            execution_id=fresh.execution_id,
            result_bytes=limits.DURABLE_CALL_BYTES,
            tenant_id=operation.tenant_id,
            trace=operation.trace,
            parent=Parent(self._draft.execution.id, operation.id),
        )
        return starting.begin(self._tx, start, self._draft.now_ms)


def _parsed(name: str, caller: FunctionKey) -> tuple[FunctionKey, str | None]:
    """The function that `name` names for `caller`, and the qualifier. Calls stay in the caller's account and region."""
    key, qualifier = names.split(name, caller)
    if key.account != caller.account:
        raise durable_errors.call_of_other_account()
    if key.region != caller.region:
        raise durable_errors.call_of_other_region()
    return key, qualifier
