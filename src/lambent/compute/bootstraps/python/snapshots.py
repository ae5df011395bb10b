"""SnapStart within the runtime client: the hooks, and the way from INIT to the restored process. Loaded when asked for.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

# mypy: ignore-errors
# ruff: noqa: F821 `client` is the bootstrap, set by its loader.

import gc
import os
import sys
import time

GLANCES, GLANCE_S = 10, 0.01
BEFORE_FAILED, AFTER_FAILED = 64, 65
"""How AWS's client ends where a hook has failed."""


def take(parking):
    """Run the hooks before the snapshot, then wait for what is to be restored; where `parking` is None or forks would
    lack something, there is no snapshot. Returns where the runtime is to go on: in restored processes, which have run
    their hooks, or in this one."""
    _guarded("Runtime.BeforeSnapshotError", BEFORE_FAILED, _before)
    obstacle = "its process is not made to be forked" if parking is None else _obstacle()
    if obstacle:
        client.runtime.wire.log("SnapStart is not used for this version: " + obstacle + ".")
        return
    gc.collect()
    gc.freeze()
    client.runtime.wire.answer(b"S")
    parking.wait()
    client.restored()
    _guarded("Runtime.AfterRestoreError", AFTER_FAILED, _after)


def _obstacle():
    """What a fork would not take along."""
    threads = _threads()
    if threads > 1:
        return "%d threads run at the end of INIT" % threads
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return "processes run at the end of INIT"


def _threads():
    """How many the kernel knows. One that a hook has joined may be a moment from its end, of which nobody is told."""
    for _ in range(GLANCES):
        threads = len(os.listdir("/proc/self/task"))
        if threads == 1:
            break
        time.sleep(GLANCE_S)
    return threads


def _before():
    hooks = _registered("get_before_snapshot")
    while hooks:
        function, arguments, options = hooks.pop()  # AWS's order: the last one first
        function(*arguments, **options)


def _after():
    for function, arguments, options in _registered("get_after_restore"):
        function(*arguments, **options)


def _registered(name):
    """The hooks of one kind. Without the library the function has none."""
    library = sys.modules.get("snapshot_restore_py")
    return [] if library is None else getattr(library, name)()


def _guarded(kind, status, hooks):
    """Run `hooks`; whatever they raise, an exit included, is reported as an error of that kind, and the end."""
    try:
        hooks()
    except BaseException as error:
        client.late("failures").report(sys.exc_info())
        report = {"errorMessage": str(error), "errorType": kind}
        client.runtime.wire.answer(b"F", client.runtime.json.encode(report).encode())
        sys.exit(status)
