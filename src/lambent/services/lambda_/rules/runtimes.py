"""Which runtimes AWS knows, and what it says of the others.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

from __future__ import annotations

from lambent.services.lambda_.errors import configuration as errors

LIVE = (
    "nodejs26.x",
    "python3.15",
    "java17.al2023",
    "java11.al2023",
    "java8.al2023",
    "ruby4.0",
    "dotnet10",
    "nodejs24.x",
    "python3.14",
    "java25",
    "ruby3.4",
    "nodejs22.x",
    "python3.13",
    "ruby3.3",
    "dotnet8",
    "python3.12",
    "provided.al2023",
    "nodejs20.x",
    "java21",
    "python3.11",
    "ruby3.2",
    "java17",
    "python3.10",
    "nodejs18.x",
    "nodejs16.x",
    "dotnet6",
    "python3.9",
    "provided.al2",
    "java11",
    "java8.al2",
    "python3.8",
)

CUSTOM = "custom"
"""What the runtime of a function is called that names a customer-managed one."""

RETIRED = frozenset(
    {
        "dotnetcore1.0",
        "dotnetcore2.0",
        "dotnetcore2.1",
        "dotnetcore3.1",
        "go1.x",
        "java8",
        "nodejs",
        "nodejs10.x",
        "nodejs12.x",
        "nodejs14.x",
        "nodejs4.3",
        "nodejs4.3-edge",
        "nodejs6.10",
        "nodejs8.10",
        "provided",
        "python2.7",
        "python3.6",
        "python3.7",
        "ruby2.5",
        "ruby2.7",
    }
)

KNOWN = frozenset((*LIVE, *RETIRED, CUSTOM))
"""Every name that AWS has had for a runtime."""

_SNAP_START = ("java11", "java17", "java21", "java25", "python3.12", "python3.13", "python3.14", "dotnet8", "dotnet10")


def check(runtime: str) -> None:
    """Raise AWS's error unless functions can be created for `runtime`."""
    if runtime == CUSTOM:
        return
    if runtime in RETIRED:
        raise errors.retired_runtime(runtime)
    if runtime not in LIVE:
        raise errors.unknown_runtime(runtime, LIVE)


def can_snapshot(runtime: str) -> bool:
    """Whether functions of `runtime` can start from a snapshot."""
    return runtime.startswith(_SNAP_START)
