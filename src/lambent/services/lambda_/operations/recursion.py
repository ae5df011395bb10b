"""PutFunctionRecursionConfig and GetFunctionRecursionConfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_ import changes, errors
from lambent.services.lambda_.store import functions

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.store.api import Transaction


async def put_function_recursion_config(call: Call[Parts], request: Request) -> Response:
    """Say whether invocations of a function are stopped that belong to a recursive loop.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html
    """
    key = changes.key_of(call, request["FunctionName"])
    recursive_loop = request["RecursiveLoop"]

    def work(tx: Transaction) -> None:
        function = functions.find(tx, key)
        if function is None:
            raise errors.not_found(key)
        functions.update(tx, msgspec.structs.replace(function, recursive_loop=recursive_loop))

    await call.parts.directory.change(key, work)
    return {"RecursiveLoop": recursive_loop}


async def get_function_recursion_config(call: Call[Parts], request: Request) -> Response:
    """Whether invocations of a function are stopped that belong to a recursive loop.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html
    """
    key = changes.key_of(call, request["FunctionName"])
    function = await call.parts.directory.find(key)
    if function is None:
        raise errors.not_found(key)
    return {"RecursiveLoop": function.recursive_loop}
