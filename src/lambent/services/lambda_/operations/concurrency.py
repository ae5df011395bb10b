"""PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency and GetAccountSettings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.records import LATEST
from lambent.services.lambda_.rules import names, provisioning
from lambent.services.lambda_.store import concurrency, functions, storage

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def put_function_concurrency(call: Call[Parts], request: Request) -> Response:
    """Reserve a part of the account's concurrency for a function, which is also all that it gets.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
    """
    key = _key(call, request)
    executions = request["ReservedConcurrentExecutions"]
    limit = call.parts.settings.concurrency

    def work(tx: Transaction) -> None:
        _check_function(tx, key)
        claimed = concurrency.claimed(tx, key.account, key.region)
        others = sum(held for name, held in claimed.items() if name != key.name)
        provisioned = sum(config.requested for config in concurrency.provisions(tx, key))
        provisioning.check_reserved(executions, others, provisioned, limit)
        concurrency.reserve(tx, key, executions)

    await call.parts.directory.change(key, work)
    return {"ReservedConcurrentExecutions": executions}


async def get_function_concurrency(call: Call[Parts], request: Request) -> Response:
    """A function's reservation; empty where it has none.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html
    """
    key = _key(call, request)

    def work(tx: Transaction) -> int | None:
        _check_function(tx, key)
        return concurrency.reserved(tx, key)

    return {"ReservedConcurrentExecutions": await call.parts.store.read(work)}


async def delete_function_concurrency(call: Call[Parts], request: Request) -> None:
    """Let a function share the account's concurrency again.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionConcurrency.html
    """
    key = _key(call, request)

    def work(tx: Transaction) -> None:
        _check_function(tx, key)
        concurrency.release(tx, key)

    await call.parts.directory.change(key, work)


async def get_account_settings(call: Call[Parts], request: Request) -> Response:  # noqa: ARG001 it has no members
    """The limits of the caller's account in this region, and what is used of them.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
    """
    place = call.account, call.region
    limit = call.parts.settings.concurrency

    def work(tx: Transaction) -> tuple[int, int, int]:
        claimed = sum(concurrency.claimed(tx, *place).values())
        return functions.count(tx, *place), storage.stored(tx, *place), claimed

    count, stored, claimed = await call.parts.store.read(work)
    return {
        "AccountLimit": {
            "TotalCodeSize": call.parts.settings.code_bytes,
            "CodeSizeUnzipped": limits.FUNCTION_UNZIPPED_BYTES,
            "CodeSizeZipped": limits.FUNCTION_ZIP_BYTES,
            "ConcurrentExecutions": limit,
            "UnreservedConcurrentExecutions": max(limit - claimed, 0),
        },
        "AccountUsage": {"TotalCodeSize": stored, "FunctionCount": count},
    }


def _key(call: Call[Parts], request: Request) -> FunctionKey:
    key, qualifier = names.parse(call, request["FunctionName"])
    if qualifier is not None:
        raise errors.functions_only()
    return key


def _check_function(tx: Transaction, key: FunctionKey) -> None:
    if functions.find(tx, key) is None:
        raise errors.not_found(key, LATEST)
