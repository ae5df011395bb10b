"""Running functions: from a name to the version that stands behind it now, and through the engine to an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.compute.function import Invocation
from lambent.kernel import limits
from lambent.kernel.clock import deadline
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import capacity_providers, recursion, tenancy
from lambent.services.lambda_.records import LATEST, FunctionKey
from lambent.services.lambda_.rules import traces

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lambent.compute.function import FunctionVersion, Outcome
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.routes import Route


async def resolve(
    parts: Parts, key: FunctionKey, qualifier: str | None, tenant_id: str | None = None
) -> FunctionVersion:
    """What an invocation of `key` for that tenant runs. What is being created is waited for.

    Raises AWS's errors where there is no such function, version or alias, where its creation takes too long, and where
    a tenant is missing or not wanted.
    """
    route = parts.directory.known(key, qualifier or LATEST) or await _found(parts, key, qualifier or LATEST)
    version = route.version if route.other is None else route.pick(parts.ids)
    if version.managed is not None and qualifier == LATEST:
        raise capacity_providers.latest_not_invocable()
    if version.per_tenant or tenant_id is not None:
        check_tenant(version, tenant_id)
    return version


def check_tail(version: FunctionVersion, *, tail: bool) -> None:
    """Raise AWS's error where the end of the log is wanted of what runs several invocations at a time."""
    if tail and version.managed is not None:
        raise capacity_providers.no_tail()


def check_tenant(version: FunctionVersion, tenant_id: str | None) -> None:
    """Raise AWS's errors where a tenant is missing or not wanted."""
    if version.per_tenant and tenant_id is None:
        raise tenancy.missing()
    if tenant_id is not None and not version.per_tenant:
        raise tenancy.unexpected()


def invoke(
    parts: Parts,
    version: FunctionVersion,
    *,
    request_id: str,
    payload: bytes,
    invoked_arn: str,
    client_context: bytes | None = None,
    tail: bool = False,
    streaming: bool = False,
    tenant_id: str | None = None,
    trace: str = "",
    patient: bool = False,
) -> Awaitable[Outcome]:
    """Run one event through the engine. `trace` is the tracing header that came with it, empty where none did;
    `patient` says that it can as well run later.

    What is awaited raises AwsError where the engine takes no more, and where the event belongs to a recursive loop that
    is to stop.
    """
    following = traces.following(trace, version.arn, parts.ids, parts.clock.time())
    invocation = Invocation(
        request_id=request_id,
        payload=payload,
        invoked_arn=invoked_arn,
        client_context=client_context,
        trace_id=following.header,
        tail=tail,
        streaming=streaming,
        tenant_id=tenant_id,
        patient=patient,
    )
    if following.rounds >= limits.LOOP_ROUNDS:
        return _invoke_unless_stopped(parts, version, invocation)
    return parts.engine.invoke(version, invocation)


async def _invoke_unless_stopped(parts: Parts, version: FunctionVersion, invocation: Invocation) -> Outcome:
    """The same where the event has come round often."""
    function = await parts.directory.find(FunctionKey(version.account, version.region, version.name))
    if function is None or function.recursive_loop == "Terminate":
        raise recursion.stopped()
    return await parts.engine.invoke(version, invocation)


async def _found(parts: Parts, key: FunctionKey, qualifier: str) -> Route:
    try:
        async with deadline(parts.clock, limits.FUNCTION_READY_S):
            return await _ready(parts, key, qualifier)
    except TimeoutError as error:
        raise errors.not_ready("Pending") from error


async def _ready(parts: Parts, key: FunctionKey, qualifier: str) -> Route:
    while True:
        settlement = parts.directory.next_settlement
        route = await parts.directory.route(key, qualifier)
        if route is not None:
            return route
        await settlement.wait()
