"""What the kernel tells of trapped system calls, and the answers: seccomp_unotify(2).

The calls block where the task that waits for an answer is slow to take it, which is up to that task: they belong on a
thread of its environment's own.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import sys
from pathlib import Path

import msgspec

_RECEIVE = 0xC0502100
_SEND = 0xC0182101
_VALID = 0x40082102
_ADD = 0x40182103
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_ADDITION = struct.Struct("=QIIII")
_IDENTITY = struct.Struct("=Q")
_SIZES = struct.Struct("=HHH")
_CONTINUE = 1
_SET = 1

_PIDFD_GETFD = 438
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_GET_ACTION_AVAIL = 2
_GET_NOTIF_SIZES = 3
_USER_NOTIFICATION = 0x7FC00000
_SO_NETNS_COOKIE = 71

_PROCESSES = Path("/proc")
_HIGHEST = (1 << 63) - 1

_libc = ctypes.CDLL(None, use_errno=True)


class Notification(msgspec.Struct, frozen=True):
    """A system call that waits for an answer."""

    identity: int
    task: int
    """The thread that made it, as this process numbers it."""
    number: int
    """Which system call it is."""
    arguments: tuple[int, ...]


class State(enum.Enum):
    """What there is to be done with a filter's descriptor."""

    QUIET = enum.auto()
    CALL = enum.auto()
    """A call waits."""
    END = enum.auto()
    """Nobody has the filter any more."""


class Notifications:
    """One filter's descriptor, which it owns."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def fileno(self) -> int:
        """The descriptor: readable when a call waits, and when nobody has the filter any more."""
        return self._descriptor

    def state(self) -> State:
        """What the descriptor is readable for."""
        events = dict(self._poll.poll(0)).get(self._descriptor, 0)
        if events & select.POLLIN:
            return State.CALL
        return State.END if events & (select.POLLHUP | select.POLLERR) else State.QUIET

    def receive(self) -> Notification | None:
        """The next call, once the state is `CALL`. None where its task has been interrupted or killed meanwhile."""
        packet = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._descriptor, _RECEIVE, packet)
        except FileNotFoundError:
            return None
        identity, task, _, call, _, _, *arguments = _NOTIFICATION.unpack(packet)
        return Notification(identity, task, call, tuple(arguments))

    def valid(self, notification: Notification) -> bool:
        """Whether its task still waits, and so the number of the task is still its own."""
        try:
            fcntl.ioctl(self._descriptor, _VALID, _IDENTITY.pack(notification.identity))
        except FileNotFoundError:
            return False
        return True

    def answer(self, notification: Notification, number: int = 0) -> None:
        """Return from the call: success, or the error `number`. Harmless when the task is gone."""
        self._send(_ANSWER.pack(notification.identity, 0, -number, 0))

    def proceed(self, notification: Notification) -> None:
        """Let the kernel do what the call asks for by then: its arguments may have changed since they were read."""
        self._send(_ANSWER.pack(notification.identity, 0, 0, _CONTINUE))

    def place(self, notification: Notification, ours: int, theirs: int, *, inherited: bool) -> None:
        """Put a copy of our descriptor in place of one of the task's. Raises OSError; FileNotFoundError where the task
        is gone."""
        flags = 0 if inherited else os.O_CLOEXEC
        fcntl.ioctl(self._descriptor, _ADD, _ADDITION.pack(notification.identity, _SET, ours, theirs, flags))

    def close(self) -> None:
        """Let go of the filter; what is trapped from now on fails with ENOSYS."""
        os.close(self._descriptor)

    def _send(self, answer: bytes) -> None:
        try:
            fcntl.ioctl(self._descriptor, _SEND, answer)
        except FileNotFoundError:
            return


def memory(task: int, address: int, length: int) -> bytes:
    """`length` bytes of a task's memory. Raises OSError: EFAULT where they are not all there."""
    if address > _HIGHEST:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    descriptor = os.open(_PROCESSES / str(task) / "mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, length, address)
    except OSError as failure:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from failure
    finally:
        os.close(descriptor)
    if len(data) < length:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    return data


def descriptor_flags(task: int, number: int) -> int:
    """The open(2) flags of a task's descriptor, O_CLOEXEC among them. Raises OSError where there is none."""
    for line in (_PROCESSES / str(task) / "fdinfo" / str(number)).read_text().splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def borrow(task: int, number: int) -> socket.socket:
    """A socket of a task's, shared with it. Raises OSError: EBADF, ENOTSOCK, or that the task is gone."""
    process = _process(task)
    try:
        descriptor = _libc.syscall(_PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if descriptor < 0:
        failure = ctypes.get_errno()
        raise OSError(failure, os.strerror(failure))
    try:
        return socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise


def namespace(of: socket.socket) -> bytes:
    """The mark of the network namespace that a socket was made in."""
    return of.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)


def available() -> str | None:
    """Why this machine cannot make connections for environments; None where it can."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _SECCOMP:
        return f"outbound connections need Linux on {' or '.join(_SECCOMP)}"
    action = ctypes.c_uint32(_USER_NOTIFICATION)
    sizes = ctypes.create_string_buffer(_SIZES.size)
    known = (_NOTIFICATION.size, _ANSWER.size, 64)
    if _libc.syscall(_SECCOMP[machine], _GET_ACTION_AVAIL, 0, ctypes.byref(action)) != 0:
        return "this kernel does not report trapped system calls (seccomp user notification, Linux 5.0)"
    if _libc.syscall(_SECCOMP[machine], _GET_NOTIF_SIZES, 0, sizes) != 0 or _SIZES.unpack(sizes.raw) != known:
        return "this kernel reports trapped system calls in a form that is not known"
    try:
        with socket.socket() as probe:
            namespace(probe)
    except OSError:
        return "this kernel does not tell network namespaces apart (Linux 5.14)"
    return None


def _process(task: int) -> int:
    """A descriptor of the process that a thread belongs to."""
    try:
        return os.pidfd_open(task)
    except OSError as failure:
        # What the kernel says of a thread that is not its process's first has changed over time.
        if failure.errno not in {errno.EINVAL, errno.ENOENT}:
            raise
    for line in (_PROCESSES / str(task) / "status").read_text().splitlines():
        if line.startswith("Tgid:"):
            return os.pidfd_open(int(line.split()[1]))
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
