"""The URL of a function that asks for one: made at its deploy, and changed where another kind is wanted."""

from __future__ import annotations

from typing import Any, Final, Literal

Kind = Literal["public", "signed"]

_STATEMENTS: Final = (
    {"StatementId": "lambent-deploy-url", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    {"StatementId": "lambent-deploy-invoke", "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
)
"""The statements of the function's policy that let everybody use a public URL, and use the function in no other way."""

_AUTH_TYPES: Final = {"public": "NONE", "signed": "AWS_IAM"}


def give(functions: Any, name: str, kind: Kind) -> bool:
    """Let the function have a URL of that kind; returns whether anything had to be changed."""
    auth_type = _AUTH_TYPES[kind]
    held = _held(functions, name)
    if held is None:
        functions.create_function_url_config(FunctionName=name, AuthType=auth_type)
    elif held["AuthType"] != auth_type:
        functions.update_function_url_config(FunctionName=name, AuthType=auth_type)
    permitted = kind == "public" and _permit(functions, name)
    return held is None or held["AuthType"] != auth_type or permitted


def of(functions: Any, name: str) -> str | None:
    """The URL of the function, if it has one."""
    held = _held(functions, name)
    return None if held is None else str(held["FunctionUrl"])


def _held(functions: Any, name: str) -> dict[str, Any] | None:
    try:
        held: dict[str, Any] = functions.get_function_url_config(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return None
    return held


def _permit(functions: Any, name: str) -> bool:
    """Let everybody in; False where they were."""
    added = [_add(functions, name, members) for members in _STATEMENTS]
    return any(added)


def _add(functions: Any, name: str, members: dict[str, Any]) -> bool:
    try:
        functions.add_permission(FunctionName=name, Principal="*", **members)
    except functions.exceptions.ResourceConflictException:
        return False
    return True
