"""Ends processes of a control group, and never one that was given the id of another since the group was read."""

from __future__ import annotations

import errno
import os
import select
import signal
from contextlib import ExitStack, suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from lambent.kernel.limits import KILLED_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

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


def end(processes: Iterable[int], members: Callable[[], Collection[int]], seconds: float) -> bool:
    """Kill those of `processes` (ids; KILLED_AT_ONCE of them) that are still among `members()`, and wait until they
    have ended, which is after their memory was given back; False where nothing has happened for `seconds`. Raises
    OSError where there are no descriptors."""
    with ExitStack() as stack:
        found = _descriptors(islice(processes, KILLED_AT_ONCE), stack)
        left = members()
        sent = [descriptor for process, descriptor in found.items() if process in left and _send(descriptor)]
        return await_ends(sent, seconds)


def await_ends(descriptors: Iterable[int], seconds: float) -> bool:
    """Wait until the processes of `descriptors` have ended; False where nothing has happened for `seconds`."""
    waiting = select.poll()
    remaining = set(descriptors)
    for descriptor in remaining:
        waiting.register(descriptor, select.POLLIN)
    while remaining:
        ended = waiting.poll(seconds * 1000)
        if not ended:
            return False
        for descriptor, _ in ended:
            waiting.unregister(descriptor)
            remaining.discard(descriptor)
    return True


def _kill(ids: Sequence[int], members: Callable[[], Collection[int]]) -> int:
    with ExitStack() as stack:
        found = _descriptors(ids, stack)
        left = members()
        return sum(_send(descriptor) for process, descriptor in found.items() if process in left)


def _descriptors(ids: Iterable[int], stack: ExitStack) -> dict[int, int]:
    """Of each process that there still is; `stack` closes them."""
    found: dict[int, int] = {}
    for process in ids:
        if (descriptor := opened(process)) is not None:
            stack.callback(os.close, descriptor)
            found[process] = descriptor
    return found


def _send(descriptor: int) -> bool:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    return False
