"""Where an environment is in its life."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """starting -> init -> idle <-> busy -> stopping -> gone. One that serves several invocations at a time is idle
    whenever it can take another."""

    STARTING = "starting"
    INIT = "init"
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"
    GONE = "gone"
