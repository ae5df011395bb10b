"""What a function's policies say to calls about it: which from other accounts are done, in the function's account,
and which from its own account are not.

https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-cross-account.html
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final

import msgspec

from lambent.kernel.access import Requester
from lambent.services.lambda_ import errors
from lambent.services.lambda_.access import permits
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.rules import names

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lambent.kernel.call import Call, Request, Response
    from lambent.kernel.service import Operation
    from lambent.services.lambda_.parts import Parts

SHARED: Final = frozenset(
    (
        "create_alias",
        "delete_alias",
        "delete_function",
        "delete_function_concurrency",
        "delete_function_event_invoke_config",
        "delete_provisioned_concurrency_config",
        "get_alias",
        "get_function",
        "get_function_concurrency",
        "get_function_configuration",
        "get_function_event_invoke_config",
        "get_policy",
        "get_provisioned_concurrency_config",
        "invoke",
        "invoke_with_response_stream",
        "list_aliases",
        "list_function_event_invoke_configs",
        "list_provisioned_concurrency_configs",
        "list_tags",
        "list_versions_by_function",
        "publish_version",
        "put_function_concurrency",
        "put_function_event_invoke_config",
        "put_provisioned_concurrency_config",
        "tag_resource",
        "untag_resource",
        "update_alias",
        "update_function_code",
        "update_function_event_invoke_config",
    )
)
"""The operations that AWS lets other accounts use. The others refuse functions of other accounts by themselves."""


def guarded(*operations: Operation) -> tuple[Operation, ...]:
    """The operations, each as far as the policies of the function that it is about allow it."""
    return tuple(_guarded(operation) for operation in operations)


def _guarded(operation: Operation) -> Operation:
    shared = operation.__name__ in SHARED

    @wraps(operation)
    def answer(call: Call[Parts], request: Request) -> Awaitable[Response | None]:
        name = request.get("FunctionName") or _function(request.get("Resource", ""))
        if shared and ":" in name and names.owner(name) not in (None, call.account):
            return _abroad(operation, call, request, name)
        if name and call.parts.denials.functions and names.is_function(name):
            return _at_home(operation, call, request, name)
        return operation(call, request)

    return answer


async def _at_home(operation: Operation, call: Call[Parts], request: Request, name: str) -> Response | None:
    """The operation in the caller's own account. Raises AWS's error where a policy of the function denies it."""
    key, own = names.split(name, FunctionKey(call.account, call.region, ""))
    if key in call.parts.denials.functions:
        qualifier, action = request.get("Qualifier") or own, names.action(call.operation)
        requester = Requester(principal=call.principal)
        if not await permits.may_invoke(call.parts, key, qualifier, requester, f"lambda:{action}", {}):
            raise errors.denied(call.principal.arn, action, key, qualifier)
    return await operation(call, request)


async def _abroad(operation: Operation, call: Call[Parts], request: Request, name: str) -> Response | None:
    """The operation, done in the account of the function. Raises AWS's error where no policy allows it."""
    key, qualifier = names.named(call, name, request.get("Qualifier"))
    action = names.action(call.operation)
    requester = Requester(principal=call.principal)
    if not await permits.may_invoke(call.parts, key, qualifier, requester, f"lambda:{action}", {}):
        raise errors.other_account(call.principal.arn, action, key, qualifier)
    return await operation(msgspec.structs.replace(call, account=key.account), request)


def _function(arn: str) -> str:
    """The ARN of a function; nothing where it is one of something else, which other accounts have no part in."""
    return arn if ":function:" in arn else ""
