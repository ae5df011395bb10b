"""The environment variables of a function, built from nothing: the server's own never reach it.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.compute.function import FunctionVersion
    from lambent.compute.runtimes import Runtime
    from lambent.compute.sandbox.api import Paths
    from lambent.kernel.authority import SessionCredentials

# Recorded from AWS: a link-local address. No tracing daemon listens there.
_XRAY_HOST = "169.254.100.1"
_XRAY_PORT = "2000"

_NOT_FOR_EXTENSIONS = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment's variables tell of where it is."""

    paths: Paths
    kind: str
    """AWS_LAMBDA_INITIALIZATION_TYPE."""
    runtime_api: str
    """`host:port`."""
    endpoint: str
    """The URL of the AWS services."""
    log_stream: str
    metadata_token: str
    frames: int | None
    """The descriptor for framed log messages; None where the runtime client needs none."""


def of_function(function: FunctionVersion, runtime: Runtime, place: Place, access: Mapping[str, str]) -> dict[str, str]:
    """Defaults that the function's own variables may replace, then these, then what is reserved. `access` says by what
    the function is who it is: see `keys` and `container`."""
    own = {name: value for name, value in function.variables.items() if "\0" not in name + value and "=" not in name}
    return {
        **_defaults(runtime, place),
        **own,
        **_reserved(function, runtime, place),
        **access,
    }


def keys(credentials: SessionCredentials) -> dict[str, str]:
    """The credentials themselves."""
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }


def container(runtime_api: str, token: str) -> dict[str, str]:
    """Where SDKs ask for them: with SnapStart, for a snapshot outlives what it could be given.

    https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
    """
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{runtime_api}/2021-04-23/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
    }


def of_extensions(variables: dict[str, str]) -> dict[str, str]:
    """What of a function's variables its extensions get.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
    """
    return {
        name: value for name, value in variables.items() if not name.startswith("_") and name not in _NOT_FOR_EXTENSIONS
    }


def _defaults(runtime: Runtime, place: Place) -> dict[str, str]:
    task, opt = place.paths.task, place.paths.opt
    variables = {
        "PATH": f"{place.paths.programs}:/usr/local/bin:/usr/bin/:/bin:{opt}/bin".removeprefix(":"),
        "LD_LIBRARY_PATH": (
            f"/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:{task}:{task}/lib:{opt}/lib"
        ),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PWD": task,
        "SHLVL": "0",
        "AWS_ENDPOINT_URL": place.endpoint,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": f"{_XRAY_HOST}:{_XRAY_PORT}",
    }
    if not runtime.custom:
        variables["PYTHONPATH"] = place.paths.runtime
    return variables


def _reserved(function: FunctionVersion, runtime: Runtime, place: Place) -> dict[str, str]:
    variables = {
        "_HANDLER": function.handler,
        "_AWS_XRAY_DAEMON_ADDRESS": _XRAY_HOST,
        "_AWS_XRAY_DAEMON_PORT": _XRAY_PORT,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": place.kind,
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": place.log_stream,
        "AWS_LAMBDA_METADATA_API": place.runtime_api,
        "AWS_LAMBDA_METADATA_TOKEN": place.metadata_token,
        "AWS_LAMBDA_RUNTIME_API": place.runtime_api,
        "LAMBDA_TASK_ROOT": place.paths.task,
        "LAMBDA_RUNTIME_DIR": place.paths.runtime,
    }
    if not runtime.custom:
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{function.runtime}"
    if place.frames is not None:
        variables["_LAMBDA_TELEMETRY_LOG_FD"] = str(place.frames)
    if function.managed is not None:
        variables["AWS_LAMBDA_MAX_CONCURRENCY"] = str(function.managed.concurrency)
    if function.logging_configured:
        variables["AWS_LAMBDA_LOG_FORMAT"] = function.log_format
    if function.log_format == "JSON":
        variables["AWS_LAMBDA_LOG_LEVEL"] = function.log_level
    return variables
