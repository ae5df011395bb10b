"""SnapStart within the runtime client: the hooks, and the way from INIT to the restored process. Loaded when asked for.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

# mypy: ignore-errors
# ruff: noqa: F821 `client` is the bootstrap, set by its loader.

import gc
import sys

BEFORE_FAILED, AFTER_FAILED = 64, 65
"""How AWS's client ends where a hook has failed."""


def take(parking):
    """Run the hooks before the snapshot, then wait for what is to be restored; where `parking` is None or forks would
    lack something, there is no snapshot. Returns where the runtime is to go on: in restored processes, which have run
    their hooks, or in this one."""
    _guarded("Runtime.BeforeSnapshotError", BEFORE_FAILED, _before)
    try:
        prepared = _prepared(parking)
    except client.late("obstacles").Obstacle as obstacle:
        client.runtime.wire.log("SnapStart is not used for this version: %s." % obstacle)
        return
    gc.collect()
    gc.freeze()
    client.own.clear()  # closed as it is forked, they would be the numbers of what libraries open then
    client.runtime.wire.answer(b"S")
    parking.wait()
    client.restored()
    _guarded("Runtime.AfterRestoreError", AFTER_FAILED, lambda: _after(prepared))


def _prepared(parking):
    """What is to be done in each fork for its descriptors. Raises Obstacle where forks would not be whole."""
    obstacles = client.late("obstacles")
    if parking is None:
        raise obstacles.Obstacle("its process is not made to be forked")
    obstacles.look()
    wire = client.runtime.wire
    own = {1: None, 2: None, parking.descriptor: None, wire.output: 1}
    return client.late("descriptors").survey({**own, client.CHANNEL: client.CHANNEL, client.FRAMES: client.FRAMES})


def _before():
    hooks = _registered("get_before_snapshot")
    while hooks:
        function, arguments, options = hooks.pop()  # AWS's order: the last one first
        function(*arguments, **options)


def _after(prepared):
    client.late("descriptors").renew(*prepared)
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
