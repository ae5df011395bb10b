"""What becomes of an open file of INIT in the forks of a snapshot, by its kind. Loaded when asked for.

| kind | in each fork |
|---|---|
| file or folder with a name | opened anew by its name, which may lead to the fork's own /tmp; position and flags stay |
| file that was deleted, for reading | opened anew; for writing: obstacle |
| the devices that keep nothing | as it is |
| pipe with both ends here and little in it | a new one with the same in it |
| pipe whose other end is closed | as it is: at its end for everybody |
| eventfd | a new one with the same count |
| epoll | a new one with the same registrations, made once all else is in its place |
| socket | see `sockets.py` |
| anything locked, anything else | obstacle |
"""

# mypy: ignore-errors
# ruff: noqa: F821 `client` is the bootstrap, set by its loader.

import ctypes
import fcntl
import os
import select
import stat
import struct
import sys
import termios

GONE = " (deleted)"
"""How the kernel ends the name that a file had. One that never had any is no file but a way to something shared."""
DEVICES = frozenset(os.makedev(1, minor) for minor in (3, 5, 7, 8, 9))
"""null, zero, full, random, urandom."""
REOPENED = (
    os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK | os.O_SYNC | os.O_DIRECT | os.O_NOATIME | os.O_PATH | os.O_DIRECTORY
)
"""The flags that say how to go on with a file, and not how to open it first."""
SET_PIPE_SIZE, PIPE_SIZE = 1031, 1032
"""F_SETPIPE_SZ and F_GETPIPE_SZ, which not every version of Python names."""
PIPED = 4096
"""Bytes that any pipe has room for. libuv keeps one in a pipe, as a lock."""
EVENT = struct.Struct("=IQ" if os.uname().machine == "x86_64" else "=IxxxxQ")
"""C's `struct epoll_event`: it is packed on one machine type only."""
EPOLL_ADD = 1
EVENTFD_SEMAPHORE = 1
ONE, TWO = (count.to_bytes(8, sys.byteorder) for count in (1, 2))

_libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Call a function of the C library. Raises OSError."""
    result = getattr(_libc, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def fate(each, opens):
    """The renewal of one of the `opens`, which are all of the function, or None where it may be shared. Raises
    Obstacle."""
    if each.details("lock"):
        raise _obstacle("a locked file, %s," % each.link)
    way = _KINDS.get(each.link if each.link.startswith("anon_inode:") else each.kind)
    if way is None:
        raise _obstacle(each.link)
    return way(each, opens)


def _file(each, _):
    """By its name if that still leads to it; what was the process's own in /proc is the fork's."""
    itself = "/proc/%d/" % os.getpid()
    path = "/proc/self/" + each.link[len(itself) :] if each.link.startswith(itself) else each.link
    flags = each.flags & REOPENED | os.O_CLOEXEC
    if not _leads_to(path, each):
        if each.access != os.O_RDONLY or each.flags & os.O_PATH or not each.link.endswith(GONE):
            raise _obstacle("a file without a name, %s," % each.link)
        path = "/proc/self/fd/%d" % each.number
    position = 0 if each.flags & os.O_PATH else int(each.details("pos")[0])
    return _renewal([each], lambda: [_reopened(path, flags, position)])


def _leads_to(path, each):
    try:
        return client.late("descriptors").identity(os.stat(path)) == each.identity
    except OSError:
        return False


def _reopened(path, flags, position):
    made = os.open(path, flags)
    if position:
        os.lseek(made, position, os.SEEK_SET)
    return made


def _device(each, _):
    if each.device not in DEVICES:
        raise _obstacle("the device " + each.link)


def _pipe(each, opens):
    ends = sorted((other for other in opens if other.link == each.link), key=lambda other: other.access)
    if not each.link.startswith("pipe:"):
        raise _obstacle("a pipe with a name, %s," % each.link)
    if len(ends) == 1 and _at_its_end(each):
        return None
    if [end.access for end in ends] != [os.O_RDONLY, os.O_WRONLY]:
        raise _obstacle("a pipe that others may hold, %s," % each.link)
    if each is not ends[0]:
        return None
    waiting = int.from_bytes(fcntl.ioctl(each.number, termios.FIONREAD, bytes(4)), sys.byteorder)
    if waiting > PIPED or (waiting and each.flags & os.O_DIRECT):
        raise _obstacle("a pipe with data in it")
    data = os.read(each.number, waiting)
    size = fcntl.fcntl(each.number, PIPE_SIZE)
    return _renewal(ends, lambda: _new_pipe(size, data))


def _at_its_end(each):
    """Whether the other end is closed, and nothing is left to read."""
    poll = select.poll()
    poll.register(each.number, select.POLLIN)
    return [events for _, events in poll.poll(0)] in ([select.POLLHUP], [select.POLLERR])


def _new_pipe(size, data):
    ends = os.pipe()
    fcntl.fcntl(ends[0], SET_PIPE_SIZE, size)
    os.write(ends[1], data)
    return ends


def _eventfd(each, _):
    count = int(each.details("eventfd-count")[0], 16)
    if count < 2:
        os.write(each.number, TWO)
    flags = os.O_CLOEXEC | (EVENTFD_SEMAPHORE if os.read(each.number, len(ONE)) == ONE else 0)
    return _renewal([each], lambda: [_new_eventfd(count, flags)])


def _new_eventfd(count, flags):
    made = call("eventfd", 0, flags)
    if count:
        os.write(made, count.to_bytes(len(ONE), sys.byteorder))
    return made


def _epoll(each, _):
    registered = []
    for text in each.details("tfd"):
        number, _, events, _, data = text.split()[:5]
        registered.append((int(number), EVENT.pack(int(events, 16), int(data, 16))))
    for number, event in registered:
        _register_again(each, number, event)
    return _renewal(
        [each],
        lambda: [call("epoll_create1", os.O_CLOEXEC)],
        lambda lost: _register(each, registered, lost),
    )


def _register(each, registered, lost):
    """The kernel forgets what is closed, and so does this."""
    for place in [number for number in each.numbers if number not in lost][:1]:
        for number, event in registered:
            if number not in lost:
                call("epoll_ctl", place, EPOLL_ADD, number, event)


def _register_again(each, number, event):
    """Which fails as it should, unless the number has become that of another file since."""
    try:
        call("epoll_ctl", each.number, EPOLL_ADD, number, event)
    except FileExistsError:
        return
    except OSError:
        pass
    raise _obstacle("an epoll of which a descriptor was closed")


def _socket(each, opens):
    sockets = [other for other in opens if other.kind == stat.S_IFSOCK]
    if each is sockets[0]:
        client.late("sockets").introduce(sockets)
    return client.late("sockets").fate(each)


def _renewal(*arguments):
    return client.late("descriptors").Renewal(*arguments)


def _obstacle(text):
    return client.late("obstacles").left_open(text)


_KINDS = {
    stat.S_IFREG: _file,
    stat.S_IFDIR: _file,
    stat.S_IFCHR: _device,
    stat.S_IFIFO: _pipe,
    stat.S_IFSOCK: _socket,
    "anon_inode:[eventfd]": _eventfd,
    "anon_inode:[eventpoll]": _epoll,
}
