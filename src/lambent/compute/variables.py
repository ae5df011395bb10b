"""The environment variables of a function, built from nothing: the server's own never reach it.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lambent.compute.function import FunctionVersion
    from lambent.compute.runtimes import Runtime
    from lambent.kernel.authority import SessionCredentials

# Recorded from AWS: link-local addresses. The Runtime API and the tracing daemon do not listen there.
_RUNTIME_API = "169.254.100.1:9001"
_XRAY_HOST = "169.254.100.1"
_XRAY_PORT = "2000"


def build(
    function: FunctionVersion,
    runtime: Runtime,
    root: Path,
    log_stream: str,
    endpoint: str,
    credentials: SessionCredentials,
) -> dict[str, str]:
    """Defaults that the function's own variables may replace, then these, then what is reserved."""
    own = {name: value for name, value in function.variables.items() if "\0" not in name + value and "=" not in name}
    return {
        **_defaults(runtime, root, endpoint),
        **own,
        **_reserved(function, runtime, root, log_stream),
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }


def _defaults(runtime: Runtime, root: Path, endpoint: str) -> dict[str, str]:
    library = f"/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:{root}:{root}/lib:/opt/lib"
    return {
        "PATH": f"{runtime.programs}:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": library,
        "PYTHONPATH": str(runtime.folder),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PWD": str(root),
        "SHLVL": "0",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": f"{_XRAY_HOST}:{_XRAY_PORT}",
    }


def _reserved(function: FunctionVersion, runtime: Runtime, root: Path, log_stream: str) -> dict[str, str]:
    variables = {
        "_HANDLER": function.handler,
        "_AWS_XRAY_DAEMON_ADDRESS": _XRAY_HOST,
        "_AWS_XRAY_DAEMON_PORT": _XRAY_PORT,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": _RUNTIME_API,
        "LAMBDA_TASK_ROOT": str(root),
        "LAMBDA_RUNTIME_DIR": str(runtime.folder),
    }
    if function.log_format == "JSON":
        variables |= {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": function.log_level}
    return variables
