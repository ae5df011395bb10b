"""What the endpoints of one environment work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lambent.compute.extensions.registry import Extensions
    from lambent.compute.runtime_api.api import About, Host
    from lambent.compute.runtime_api.runtime import Runtime
    from lambent.kernel.tasks import Supervisor


class NotServed(Exception):
    """This environment does not have the path: 404."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime, its extensions, and what they may learn."""

    about: About
    host: Host
    runtime: Runtime
    extensions: Extensions
    tasks: Supervisor
