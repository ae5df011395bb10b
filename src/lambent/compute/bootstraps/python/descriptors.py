"""What becomes of INIT's descriptors in the forks of a snapshot. Loaded when asked for.

Descriptors of a fork lead to the open files of its parent: one position in a file, one queue, one set of registrations
for all. So each open file of the function is looked at, and what its kind asks for is done in each fork (`kinds.py`). A
copy of the runtime's own becomes a copy of the fork's own.
"""

# mypy: ignore-errors
# ruff: noqa: F821 `client` is the bootstrap, set by its loader.

import fcntl
import os
import signal
import stat

MARK = signal.SIGURG
"""How an open file of INIT is marked: by the signal that it would send. What is opened later has none set."""


class Open:
    """An open file: the descriptors that lead to it, and what it was like when nobody had looked at it."""

    def __init__(self, number):
        status = os.fstat(number)
        self.number = number
        self.numbers = [number]
        self.identity = identity(status)
        self.kind = stat.S_IFMT(status.st_mode)
        self.device = status.st_rdev
        self.link = os.readlink("/proc/self/fd/%d" % number)
        self.flags = fcntl.fcntl(number, fcntl.F_GETFL)
        self.partner = None  # of a socket: what is at its other end

    @property
    def access(self):
        """For reading, writing, or both."""
        return self.flags & os.O_ACCMODE

    def leave(self):
        """Let it be as it was, but for a mark by which forks know it."""
        if not self.flags & os.O_PATH:
            fcntl.fcntl(self.number, fcntl.F_SETFL, self.flags)
            self.mark = fcntl.fcntl(self.number, fcntl.F_GETSIG) or MARK
            fcntl.fcntl(self.number, fcntl.F_SETSIG, self.mark)

    def lost(self):
        """The descriptors that lead to it no longer: libraries close some of theirs, and open others, as they are
        forked."""
        return [number for number in self.numbers if not self._is_at(number)]

    def _is_at(self, number):
        if _found(number) != self.identity:
            return False
        return self.flags & os.O_PATH or fcntl.fcntl(number, fcntl.F_GETSIG) == self.mark

    def details(self, name):
        """What the kernel says under that name, a text for each time that it says it."""
        with open("/proc/self/fdinfo/%d" % self.number) as lines:
            return [line.partition(":")[2].strip() for line in lines if line.startswith(name + ":")]


class Renewal:
    """Open files to be replaced in forks. `make` answers with new descriptors for them, `finish` is called once all of
    the process are there, with the descriptors that were lost."""

    def __init__(self, opens, make, finish=lambda _: None):
        self._opens = opens
        self._make = make
        self.finish = finish
        self._inheritable = {number: os.get_inheritable(number) for each in opens for number in each.numbers}

    def rehearse(self):
        """Make sure that it can be done. Raises Obstacle."""
        try:
            for fresh in self._make():
                os.close(fresh)
        except OSError:
            raise _obstacle("what cannot be opened again, %s," % self._opens[0].link) from None

    def begin(self, lost):
        """Put the new ones in the places of the old ones that were not `lost`."""
        for each, fresh in zip(self._opens, self._make()):  # noqa: B905 Python 3.9
            if not each.flags & os.O_PATH:
                fcntl.fcntl(fresh, fcntl.F_SETFL, each.flags)
            for number in each.numbers:
                if number not in lost:
                    os.dup2(fresh, number, self._inheritable[number])
            os.close(fresh)


def survey(own):
    """Look at every descriptor of this process, and make ready what its forks are to do: the arguments of `renew`.
    `own` are the runtime's descriptors and the numbers at which a fork has its own of them, or None where that is none
    of the function's business. Nobody but forks may go on afterwards. Raises Obstacle."""
    fate = client.late("kinds").fate
    copied = {_found(number): place for number, place in own.items() if place is not None}
    opens = [Open(number) for number in _numbers() if number not in own]
    copies = [each for each in opens if each.identity in copied]
    opens = _merged([each for each in opens if each.identity not in copied])
    renewals = [_copy(each, copied[each.identity]) for each in copies]
    renewals += [renewal for renewal in (fate(each, opens) for each in opens) if renewal is not None]
    for each in renewals:
        each.rehearse()
    for each in (*copies, *opens):
        each.leave()
    return [*copies, *opens], renewals


def renew(opens, renewals):
    """In a fork: give it open files of its own, as `survey` has answered. Raises OSError."""
    lost = {number for each in opens for number in each.lost()}
    for each in renewals:
        each.begin(lost)
    for each in renewals:
        each.finish(lost)


def _numbers():
    """Of this process, in order, without the one by which they are listed."""
    listed = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    return [number for number in listed if _found(number) is not None]


def _found(number):
    try:
        return identity(os.fstat(number))
    except OSError:
        return None


def identity(status):
    """What a file is known by, from its `os.stat_result`."""
    return status.st_dev, status.st_ino, stat.S_IFMT(status.st_mode)


def _merged(opens):
    """One for each open file. The kernel does not say which descriptors have one in common, but they have its flags in
    common: each writes its place there, bit by bit, and all read the place of the last one."""
    seen = [0] * len(opens)
    marked = [(place, each) for place, each in enumerate(opens) if not each.flags & os.O_PATH]
    for bit in range(len(opens).bit_length()):
        for place, each in marked:
            os.set_blocking(each.number, not place >> bit & 1)
        for place, each in marked:
            seen[place] |= (not os.get_blocking(each.number)) << bit
    for place, each in marked:
        if seen[place] != place:
            opens[seen[place]].numbers.append(each.number)
    return [each for place, each in enumerate(opens) if each.flags & os.O_PATH or seen[place] == place]


def _copy(each, place):
    if each.access != fcntl.fcntl(place, fcntl.F_GETFL) & os.O_ACCMODE:
        raise _obstacle("the other end of the output")
    return Renewal([each], lambda: [os.dup(place)])


def _obstacle(text):
    return client.late("obstacles").left_open(text)
