"""How an environment is shut down: how long each process may take, and who is asked at all.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits

if TYPE_CHECKING:
    from lambent.compute.extensions.registry import Extensions


class Shutdown(msgspec.Struct, frozen=True, kw_only=True):
    """At once: SIGTERM to the runtime, the SHUTDOWN event to `told`, SIGKILL to `killed`. After `runtime_s` SIGKILL to
    the runtime, after `total_s` to all that is left."""

    total_s: float
    """0: everything is killed at once, and nobody is told."""
    runtime_s: float
    told: tuple[str, ...] = ()
    """The external extensions that get the SHUTDOWN event."""
    killed: tuple[str, ...] = ()
    """The external extensions that do not."""


_AT_ONCE = Shutdown(total_s=0.0, runtime_s=0.0)


def plan(extensions: Extensions) -> Shutdown:
    """The shutdown of an environment with these extensions, from AWS's limits: nobody is waited for where none has
    registered, half a second with internal ones only, two seconds with an external one."""
    if not extensions.external and not extensions.internal:
        return _AT_ONCE
    told = extensions.subscribers("SHUTDOWN")
    return Shutdown(
        total_s=limits.SHUTDOWN_EXTERNAL_S if extensions.external else limits.SHUTDOWN_INTERNAL_S,
        runtime_s=limits.SHUTDOWN_RUNTIME_S if extensions.external else limits.SHUTDOWN_INTERNAL_S,
        told=tuple(told),
        killed=tuple(one.name for one in extensions.listing() if one.external and one.name not in told),
    )
