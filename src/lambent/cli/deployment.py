"""Brings a project to the server: creates its function or updates what differs, and waits until it can be called."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from lambent.cli import function_url, package, project, requirements
from lambent.cli.failure import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lambent.cli.client import Aws
    from lambent.cli.project import Project, Wanted

CUSTOM_RUNTIME: Final = "provided.al2023"
"""The runtime of a new function that brings its own and names none."""

ROLE: Final = "lambent-function"
"""The role of functions that name none; made at the first deploy, with leave to write logs."""

_LOGS_POLICY: Final = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}

_WAIT: Final = {"Delay": 0.1, "MaxAttempts": 1200}
"""Two minutes; a change is usually done before the first look."""


class Deployed(msgspec.Struct, frozen=True):
    """What a deploy came to."""

    function: str
    action: Literal["created", "updated", "unchanged"]
    runtime: str
    handler: str
    bytes: int
    """The size of the package."""
    arn: str
    url: str | None = None
    """Its function URL, if it has one."""
    durable: bool = False
    """Whether its executions are durable."""


def deploy(source: Project, aws: Aws, cache: Path, say: Callable[[str], None], *, fresh: bool = False) -> Deployed:
    """Create or update the function of `source` and wait for it; `say` hears each step.

    Raises Failure for what is wrong here, botocore's exceptions for what the server refuses.
    """
    functions = aws.client("lambda")
    name = source.name
    current = _current(functions, name)
    runtime = _runtime(source, current)
    dependencies = None
    if source.requirements:
        dependencies = requirements.install(source.requirements, runtime, cache, say, fresh=fresh)
    say("packaging")
    code = package.build(source, dependencies)
    if current is None:
        say("creating")
        role = source.wanted.role or _default_role(aws)
        functions.create_function(
            FunctionName=name, Role=role, Code={"ZipFile": code}, **_settings(source.wanted, runtime, source.handler)
        )
        _wait(functions, "function_active_v2", name)
        action: Literal["created", "updated", "unchanged"] = "created"
    else:
        action = "updated" if _update(functions, source, runtime, code, current, say) else "unchanged"
    if source.wanted.url is not None and function_url.give(functions, name, source.wanted.url):
        action = "updated" if action == "unchanged" else action
    now = functions.get_function_configuration(FunctionName=name)
    url = function_url.of(functions, name)
    durable = "DurableConfig" in now
    return Deployed(name, action, now["Runtime"], now["Handler"], len(code), now["FunctionArn"], url, durable)


def running_runtime() -> str:
    """The runtime of the Python that runs this command: the one that surely is on this machine."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _runtime(source: Project, current: dict[str, Any] | None) -> str:
    """What the project asks for; else what the function has, unless the code has changed its kind; else the usual."""
    known: str = (current or {}).get("Runtime", "")
    if source.pinned_runtime or (known and known.startswith(project.CUSTOM) == source.custom):
        return source.pinned_runtime or known
    return CUSTOM_RUNTIME if source.custom else running_runtime()


def _current(functions: Any, name: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = functions.get_function_configuration(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return None
    return answer


def _settings(wanted: Wanted, runtime: str, handler: str | None) -> dict[str, Any]:
    values = {
        "Runtime": runtime,
        "Handler": handler,
        "Role": wanted.role,
        "MemorySize": wanted.memory,
        "Timeout": wanted.timeout,
        "Description": wanted.description,
        "Environment": None if wanted.variables is None else {"Variables": wanted.variables},
        "DurableConfig": None if wanted.durable is None else {"ExecutionTimeout": wanted.durable},
    }
    return {name: value for name, value in values.items() if value is not None}


def _update(
    functions: Any, source: Project, runtime: str, code: bytes, current: dict[str, Any], say: Callable[[str], None]
) -> bool:
    """Change what differs; returns whether anything did."""
    wanted = _settings(source.wanted, runtime, source.handler)
    changes = {name: value for name, value in wanted.items() if not _has(current.get(name), value)}
    new_code = base64.b64encode(hashlib.sha256(code).digest()).decode() != current["CodeSha256"]
    if changes or new_code:
        # An earlier change may still be under way, and two at a time are refused.
        _wait(functions, "function_updated_v2", source.name)
    if changes:
        say("changing the configuration")
        functions.update_function_configuration(FunctionName=source.name, **changes)
        _wait(functions, "function_updated_v2", source.name)
    if new_code:
        say("sending the code")
        functions.update_function_code(FunctionName=source.name, ZipFile=code)
        _wait(functions, "function_updated_v2", source.name)
    return bool(changes) or new_code


def _has(held: Any, wanted: Any) -> bool:
    """Whether what the server has is what is wanted, besides defaults that nobody has asked for."""
    if isinstance(held, dict) and isinstance(wanted, dict) and "ExecutionTimeout" in wanted:
        return bool(held.get("ExecutionTimeout") == wanted["ExecutionTimeout"])
    return bool(held == wanted)


def _wait(functions: Any, waiter: str, name: str) -> None:
    from botocore.exceptions import WaiterError

    try:
        functions.get_waiter(waiter).wait(FunctionName=name, WaiterConfig=_WAIT)
    except WaiterError as error:
        state = error.last_response
        reason = state.get("StateReason") or state.get("LastUpdateStatusReason") or str(error)
        raise Failure(f"{name} did not become ready: {reason}", Exit.REFUSED) from None


def _default_role(aws: Aws) -> str:
    """The ARN of the role for functions that name none, made where it is missing."""
    iam = aws.client("iam")
    try:
        role = iam.get_role(RoleName=ROLE)["Role"]
    except iam.exceptions.NoSuchEntityException:
        role = _made_role(iam)
    return str(role["Arn"])


def _made_role(iam: Any) -> dict[str, Any]:
    try:
        role: dict[str, Any] = iam.create_role(
            RoleName=ROLE,
            AssumeRolePolicyDocument=json.dumps(_TRUST),
            Description="Functions deployed by lambent that name no role of their own",
        )["Role"]
    except iam.exceptions.EntityAlreadyExistsException:
        # Another deploy was quicker.
        role = iam.get_role(RoleName=ROLE)["Role"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=_LOGS_POLICY)
    return role
