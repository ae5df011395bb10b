"""Ends processes of a control group, and never one that was given the id of another since the group was read."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from lambent.kernel.limits import KILLED_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_GONE: Final = {errno.ESRCH, errno.EINVAL, errno.ENOENT}
"""What the kernel answers for an id that no process has, or only a thread of one, or one that is being reaped."""


def kill(processes: Collection[int], members: Callable[[], Collection[int]]) -> int:
    """Send SIGKILL to those of `processes` (ids) that are still among `members()`; returns how many there were.

    A descriptor stays with its process: whoever is a member while it is open is the one that it kills, or is new and
    left for the next look. Raises OSError where there are no descriptors.
    """
    ids = list(processes)
    return sum(_kill(ids[at : at + KILLED_AT_ONCE], members) for at in range(0, len(ids), KILLED_AT_ONCE))


def opened(process: int) -> int | None:
    """A descriptor of the process with that id, the caller's to close; None where there is none, or it is just being
    taken away. Raises OSError where there are no descriptors."""
    try:
        return os.pidfd_open(process)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return None


def _kill(ids: Sequence[int], members: Callable[[], Collection[int]]) -> int:
    with ExitStack() as stack:
        found: dict[int, int] = {}
        for process in ids:
            if (descriptor := opened(process)) is not None:
                stack.callback(os.close, descriptor)
                found[process] = descriptor
        left = members()
        return sum(_send(descriptor) for process, descriptor in found.items() if process in left)


def _send(descriptor: int) -> bool:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    return False
