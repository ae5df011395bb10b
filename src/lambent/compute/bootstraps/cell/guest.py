"""Guests of a cell: processes that have given up everything but what a function may have, and then run its program.

What runs in every fork of the zygote touches as little as it can, for each page that it touches is copied. So signals
go by `_signal`, whose numbers are no enumeration, and sockets by `_socket` or as bare descriptors; what can be decided
in the zygote is decided there; and the client is defined there, and only runs in the fork.
"""

# mypy: ignore-errors
# ruff: noqa: B905, S102, S302, S606 Python 3.9 is served, too; the code and the commands are what the server says

import _signal
import _socket
import base64
import contextlib
import json
import marshal
import os
import posix
import resource
import signal
import socket
import sys
import time
import traceback

import calls
import parking

PACKET = 1 << 18
JSON = json.JSONDecoder()
"""Reads without the regular expressions by which `json.loads` looks for white space around."""
CAP_SYS_CHROOT = 18
"""All that the first guest of a snapshot keeps, by which its forks enter their roots. They give it up then."""
CLEAR_OF_GUESTS = 64
"""Above every descriptor that a guest is given: placing one never overwrites another that is still to be placed."""
NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""How a guest ends whose program cannot be executed, as in a shell."""
OWN = ("branches", "calls", "guest", "init", "lone", "packets", "parking", "rehearsal", "volumes")
PYC_HEAD = 16
SDK = frozenset(("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "awscrt"))
AT_THE_START = (b"PYTHON", b"LD_", b"MALLOC_", b"GLIBC_", b"LC_", b"LANG")
"""How variables begin that an interpreter or its libraries read when they start, and a forked one does not."""
ANY_TIME = frozenset((b"PYTHONPATH", b"PYTHONUNBUFFERED", b"PYTHONDONTWRITEBYTECODE"))
"""Those of them that are seen to here, or are as they say already."""


class Plan:
    """What all cells of an image have in common."""

    def __init__(self, order, born_with, folders):
        self._born_with = born_with
        self.processes = order["processes"]
        self.hidden = order["hidden"]
        self.code = order["code"].encode() + b"/"
        self.sleeper = base64.b64decode(order["sleeper"]) if order["sleeper"] else None
        self.groups = [(folder, pids.encode()) for folder, pids in zip(folders, order["groups"]["pids"])]
        self.group_name = order["groups"]["name"]
        self.host = order["host"]
        self.mounted = order["mounted"]
        self.mounts = [tuple(text.encode() for text in each) for each in order["mounts"]]
        self.task = order["task"]
        self.opt = order["opt"]
        self.runtime = order["runtime"]
        self.oom_score = b"%d" % order["limits"]["oom_score"]
        self.resources = [lowered(name, most) for name, most in order["limits"]["resources"].items()]
        self.nested = order["nested"]
        self.branches = order["branches"]
        self.capabilities = calls.Capabilities(*((CAP_SYS_CHROOT,) if self.branches else ()))
        self.command = order["command"]
        self.preloaded = order["preloaded"]
        self.filters = [calls.Filter(base64.b64decode(each)) for each in order["filters"]]
        self.notify = calls.Filter(base64.b64decode(order["notify"])) if order["notify"] else None
        self.client = client(order["client"]) if order["client"] else None
        self.variables = dict(os.environb)
        self.imported = self.packages = frozenset()

    def remember_imports(self):
        """Take down what has been imported until now beyond what every interpreter starts with, and hide what is not
        for functions, whose modules may go by the same names."""
        self.imported = frozenset(sys.modules) - self._born_with - {"__main__", *OWN}
        for name in OWN:
            del sys.modules[name]
        self.packages = frozenset(name.partition(".")[0] for name in self.imported)


def read(packet):
    """What the server says as JSON."""
    return JSON.raw_decode(packet.decode())[0]


def client(path):
    """The runtime client, a compiled module, defined but not started. It takes itself for the program."""
    with open(path, "rb") as file:
        code = marshal.loads(file.read()[PYC_HEAD:])
    module = type(sys)("__main__")
    module.__file__ = path
    exec(code, module.__dict__)
    return module


def lowered(name, most):
    """The limit of a resource, as a pair for `setrlimit`: `most`, or what is left to this process."""
    number = getattr(resource, name)
    _, hard = resource.getrlimit(number)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    return number, (most, most)


class Seat:
    """The descriptors of the first guest and the server's ends of them: `channel`, `output`, `frames`."""

    def __init__(self):
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self.channel, channel = ours.detach(), theirs.detach()
        self.output, output = os.pipe()
        self.frames, frames = os.pipe()
        for each in (self.channel, self.output, self.frames):
            os.set_blocking(each, False)
        self._theirs = (output, output, channel, frames)

    def leave(self):
        """Close the guest's ends."""
        for descriptor in self._theirs[1:]:
            os.close(descriptor)

    def sit(self, extra):
        """Make the guest's ends its descriptors 1 to 4, `extra` the next, and close all others. Returns that number."""
        return place((*self._theirs, extra), 1) - 1


def place(descriptors, first):
    """Make these the descriptors `first` and up, and the last ones: returns the next number."""
    clear = max(CLEAR_OF_GUESTS, *descriptors) + 1
    for number, source in enumerate(descriptors, clear):
        os.dup2(source, number, False)
    following = first + len(descriptors)
    for number in range(first, following):
        os.dup2(clear + number - first, number)
    calls.close_from(following)
    return following


def take(plan, identity, seat, start):
    """Be the first guest: settle, say so, wait for the program. Returns what is to be run."""
    try:
        start = seat.sit(start)
        os.setsid()
        give_up(plan, identity, None, plan.capabilities)
        calls.be_inspectable(True)
        confine(plan)
        os.write(start, b"1")
        packet = os.read(start, PACKET)
        if not packet:
            os._exit(0)
        return enter(plan, *program(packet), start)
    except BaseException:
        traceback.print_exc()
        os._exit(NOT_EXECUTABLE)


def program(packet):
    """A command and variables, as the server packs them: the number of words of the command, the words, then names and
    values by turns, each ended by a zero byte."""
    count, *texts, _ = packet.split(b"\0")
    names = int(count)
    return texts[:names], dict(zip(texts[names::2], texts[names + 1 :: 2]))


def enter(plan, command, variables, start):
    """Run the command; or return what runs the client, if nothing is asked of it that only a new interpreter can do. A
    client that may be forked goes on listening to process 1."""
    os.chdir(plan.task)
    if not command and plan.client and missed(plan.variables, variables):
        command = plan.command
    if command or not plan.branches:
        os.close(start)
    if command:
        execute(command, variables)
    become(plan, variables)
    if plan.branches:
        plan.client.parking = parking.Parking(plan.task, socket.socket(fileno=start))
    return plan.client.main


def missed(started_with, variables):
    """Whether this interpreter would have started otherwise with these variables."""
    return any(
        value != started_with.get(name)
        for name, value in variables.items()
        if name.startswith(AT_THE_START) and name not in ANY_TIME
    )


def start(plan, identity, home, program, output):
    """Be another guest. Never returns."""
    try:
        following = place((output, output) if home is None else (output, output, home), 1)
        os.setsid()
        give_up(plan, identity, None if home is None else following - 1, plan.capabilities)
        confine(plan)
        os.chdir(plan.task)
        execute(program["command"], program["variables"])
    except BaseException:
        traceback.print_exc()
    os._exit(NOT_EXECUTABLE)


def give_up(plan, identity, home, kept):
    """Put on the guest's user, with no capabilities but those that are `kept`. `home` is the user namespace that it
    shares with other guests; without one, where they are `nested`, it makes it."""
    if plan.nested:
        calls.be_inspectable(True)  # else the files of this process in /proc belong to nobody here
    tell("/proc/self/oom_score_adj", plan.oom_score)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    if not plan.nested:
        calls.keep_through_user_change(True)
        os.setgroups(())
        user, group = identity
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        calls.keep_through_user_change(False)
    elif home is None:
        make_home(identity)
    else:
        calls.setns(home, calls.CLONE_NEWUSER)
        os.close(home)
    if plan.nested:
        calls.bound_capabilities()
    kept.keep()
    for number, most in plan.resources:
        resource.setrlimit(number, most)


def make_home(identity):
    """A user namespace in which the one user there is goes by this identity."""
    calls.unshare(calls.CLONE_NEWUSER)
    user, group = identity
    tell("/proc/self/setgroups", b"deny")
    tell("/proc/self/uid_map", b"%d 0 1" % user)
    tell("/proc/self/gid_map", b"%d 0 1" % group)


def tell(path, text):
    """Write to a file of the kernel's."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.write(descriptor, text)
    os.close(descriptor)


def confine(plan):
    """From here on no system call is open but those that a function may make."""
    calls.gain_nothing()
    for each in plan.filters:
        each.install()


def execute(command, variables):
    """Become the program; where that cannot be, say so in the output and end like a shell. Never returns."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execve(command[0], command, variables)
    except OSError as error:
        os.write(2, b"%s: %s\n" % (os.fsencode(command[0]), error.strerror.encode()))
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def become(plan, variables):
    """Look like an interpreter that was started for the runtime client with these variables."""
    set_environment(variables)
    if variables.get(b"TZ") != plan.variables.get(b"TZ"):
        time.tzset()
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    entries = [os.fsdecode(entry) for entry in variables.get(b"PYTHONPATH", b"").split(b":") if entry]
    sys.path[:0] = entries
    forget(plan, [plan.task, plan.opt + "/python", *entries])
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = plan.command
    sys.modules["__main__"] = plan.client


def set_environment(variables):
    """Replace the environment of C and of Python: the dictionary of posix is the one that os.environ looks into."""
    for name in posix.environ:
        posix.unsetenv(name)
    posix.environ.clear()
    posix.environ.update(variables)
    for name, value in variables.items():
        posix.putenv(name, value)


def forget(plan, folders):
    """Forget the imported modules that the function brings itself: the SDK as a whole, where it brings a part of it,
    and nothing that an interpreter cannot do without."""
    brought = set()
    for folder in folders:
        if folder != plan.runtime:
            with contextlib.suppress(OSError):  # few functions have them all
                brought.update(name.partition(".")[0] for name in os.listdir(folder))
    if not brought.isdisjoint(SDK):
        brought |= SDK
    if not brought.isdisjoint(plan.packages):
        for name in [each for each in plan.imported if each.partition(".")[0] in brought]:
            sys.modules.pop(name, None)
