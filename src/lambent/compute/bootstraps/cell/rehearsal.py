"""What every fork of a zygote does, done in the zygote, as far as it changes nothing.

An interpreter writes down how often a function was called, where an attribute was found and of what kind an operand
was, until it knows. In a fork each such note costs a page. So the functions that forks will call are called here.
"""

# mypy: ignore-errors

import _socket
import os
import select
import sys
from importlib import import_module

import calls
import guest
import init
import lone
import packets

HERE = __file__.rpartition("/")[0]
TIMES = 24
"""After so many calls Python 3.11 notes nothing any more of a function that does the same each time."""
VARIABLES = (b"LANG", b"en_US.UTF-8", b"TZ", b":UTC", b"AWS_LAMBDA_FUNCTION_NAME", b"f")
PROGRAM = b"\0".join((b"0", *VARIABLES, b""))
SMALL = 512
"""Bytes up to which Python keeps pieces of memory in pools, by size in steps of `STEP`."""
STEP, POOL, POOL_HEAD = 16, 16384, 48
POOLS = 16
"""How many pools of one size are filled at most."""
NOTHING = sys.getsizeof(b"")
BUILT_IN = (_socket.socket, type(select.poll()), bytes, dict, list, str)
HEAD = b"id\n99999999999999\narn\n\n\n\n"
EVENT = b'{"key": ["value", 1, 2.5, true, null]}'


def rehearse(plan):
    """Leave the caches full. What was found out for modules that no fork will use is forgotten first."""
    sys._clear_type_cache()  # noqa: SLF001 documented, and there is no other
    for module in (calls, guest, init, lone, packets, plan.client):
        _look_up(module)
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    kept = dict(os.environb)
    for _ in range(TIMES):
        _process_1(plan, ours, theirs)
        _first_guest(plan)
    guest.set_environment(kept)


def fill():
    """Take every small piece of memory that is free between others, so that what a fork makes lies together and not on
    many pages. It is free again when what is returned is."""
    taken = []
    for size in range(NOTHING + STEP - 1, SMALL, STEP):
        for _ in range(POOLS * POOL // size):
            taken.append(bytes(size - NOTHING))
            if id(taken[-1]) % POOL == POOL_HEAD:  # the first of a pool that nobody has used yet
                break
    return taken


def _look_up(module):
    """Find what the module's code asks modules, its own classes and objects of the interpreter for: where it was found
    is remembered by class and name."""
    for value in list(vars(module).values()) if module else ():
        own = isinstance(value, type)
        functions = vars(value).values() if own else (value,)
        names = {name for each in functions for name in getattr(getattr(each, "__code__", None), "co_names", ())}
        for name in names:
            for owner in (os, value) if own else (os,):
                getattr(owner, name, None)
            for owner in BUILT_IN:
                if name in vars(owner):
                    getattr(owner, name)


def _process_1(plan, ours, theirs):
    packets.send(ours, b"x", (1,))
    for descriptor in packets.receive(theirs)[1]:
        os.close(descriptor)
    calls.mount(None, "/", None, calls.MS_REC | calls.MS_PRIVATE, None)  # as it is already
    calls.restrict("/", below=False)
    calls.be_inspectable(True)
    seat = guest.Seat()
    seat.leave()
    for descriptor in (seat.channel, seat.output, seat.frames):
        os.close(descriptor)
    os.close(os.open(plan.processes + "/self/status", os.O_RDONLY | os.O_CLOEXEC))


def _first_guest(plan):
    _, variables = guest.program(PROGRAM)
    guest.missed(plan.variables, variables)
    guest.set_environment(variables)
    guest.forget(plan, [plan.task, plan.opt + "/python"])
    if plan.client:
        _client(plan.client)
        _import(HERE, packets.__name__)


def _import(folder, name):
    """A module that was not compiled before, as a function's handler is."""
    sys.path.insert(0, folder)
    import_module(name)
    del sys.modules[name], sys.path[0], sys.path_importer_cache[folder]


def _client(client):
    """An invocation of which nobody is told."""
    runtime = client.runtime = client.Runtime(_Silence())
    runtime.serve(lambda event, _: event, HEAD, EVENT)
    client.LoggingHook().find_spec("nothing")
    del client.runtime


class _Silence:
    """A wire at the other end of which is nobody."""

    def answer(self, kind, body=b""):
        """Forget it."""
