"""GetRuntimeManagementConfig and PutRuntimeManagementConfig: when a function comes to run with a newer runtime.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.compute.function import runtime_version_arn
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import runtime_management as management_errors
from lambent.services.lambda_.records import LATEST, Function, RuntimeUpdates, Version
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.store import functions, versions

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def get_runtime_management_config(call: Call[Parts], request: Request) -> Response:
    """When `$LATEST` or a version gets a newer runtime.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetRuntimeManagementConfig.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    held = await call.parts.store.read(lambda tx: _find(tx, key, qualifier))
    return _answer(held, qualifier)


async def put_runtime_management_config(call: Call[Parts], request: Request) -> Response:
    """Say when `$LATEST` or a version gets a newer runtime.

    There is one version of each runtime on this machine, so that is the one that can be named.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutRuntimeManagementConfig.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    wanted = RuntimeUpdates(request["UpdateRuntimeOn"], request.get("RuntimeVersionArn"))

    def work(tx: Transaction) -> Function | Version:
        held = _find(tx, key, qualifier)
        _check(held, wanted)
        new = msgspec.structs.replace(held, runtime_updates=wanted)
        if isinstance(new, Version):
            versions.update(tx, new)
        else:
            functions.update(tx, new)
        return new

    return _answer(await call.parts.directory.change(key, work), qualifier)


def _find(tx: Transaction, key: FunctionKey, qualifier: str | None) -> Function | Version:
    """An alias has no runtime."""
    found: Function | Version | None = None
    if qualifier in (None, LATEST):
        found = functions.find(tx, key)
    elif names.is_version(qualifier):
        found = versions.find(tx, key, names.number(qualifier))
    if found is None:
        raise errors.not_found(key, qualifier)
    return found


def _check(held: Function | Version, wanted: RuntimeUpdates) -> None:
    if isinstance(held, Function) and not held.settled:
        raise errors.update_in_progress(held.key)
    runtime = held.configuration.runtime
    if not runtime:
        raise management_errors.no_runtime()
    if wanted.on != "Manual" and wanted.version_arn:
        raise management_errors.version_not_wanted(wanted.on)
    if wanted.on == "Manual" and not wanted.version_arn:
        raise management_errors.version_needed()
    if wanted.version_arn and wanted.version_arn != runtime_version_arn(held.region, runtime):
        raise management_errors.unknown_version(wanted.version_arn, runtime)


def _answer(held: Function | Version, qualifier: str | None) -> Response:
    return {
        "FunctionArn": held.key.arn(qualifier),
        "RuntimeVersionArn": held.runtime_updates.version_arn,
        "UpdateRuntimeOn": held.runtime_updates.on,
    }
