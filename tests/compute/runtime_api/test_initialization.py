"""The start of a runtime over HTTP, and its restore with SnapStart."""

from __future__ import annotations

from lambent.kernel import limits
from tests.compute.runtime_api.harness import RUNTIME, Bench, event

NEXT = f"{RUNTIME}/invocation/next"
INIT_ERROR = f"{RUNTIME}/init/error"
RESTORE = f"{RUNTIME}/restore/next"
RESTORE_ERROR = f"{RUNTIME}/restore/error"
BODY = b'{"errorMessage":"no module","errorType":"Runtime.ImportModuleError"}'
TYPE = {"Lambda_Runtime_Function_Error_Type": "Runtime.ImportModuleError"}


async def test_an_init_error_is_told_once_and_ends_the_runtime(bench: Bench) -> None:
    guest = await bench.guest()
    assert (await guest.call("POST", INIT_ERROR, BODY, **TYPE)).status == 202
    assert await bench.environment.hears() == ("init_failed", BODY, "Runtime.ImportModuleError")
    for method, path, wanted in (("GET", NEXT, "Ready"), ("POST", INIT_ERROR, "InitError")):
        text = f"State transition from InitError to {wanted} failed for runtime. Error: State transition is not allowed"
        assert (await guest.call(method, path)).error == (403, "InvalidStateTransition", text)
    assert bench.environment.told.empty()


async def test_an_init_error_is_too_late_once_an_event_runs(bench: Bench) -> None:
    guest = await bench.guest()
    await bench.running(guest)
    text = "State transition from Running to InitError failed for runtime. Error: State transition is not allowed"
    assert (await guest.call("POST", INIT_ERROR, BODY)).error == (403, "InvalidStateTransition", text)


async def test_an_init_error_is_bounded(bench: Bench) -> None:
    guest = await bench.guest()
    assert (await guest.call("POST", INIT_ERROR, bytes(limits.RUNTIME_API_ERROR_BYTES + 1))).error[:2] == (
        413,
        "RequestEntityTooLarge",
    )
    assert bench.environment.told.empty()


async def test_without_snap_start_nothing_can_be_restored(bench: Bench) -> None:
    guest = await bench.guest()
    assert (await guest.call("GET", RESTORE)).status == 404
    assert (await guest.call("POST", RESTORE_ERROR)).status == 404


async def test_a_restored_runtime_goes_on_to_events() -> None:
    bench = Bench(snap_start=True)
    guest = await bench.guest()
    await guest.send("GET", RESTORE)
    assert await bench.environment.hears() == ("restore_ready",)
    bench.runtime.restore()
    answer = await guest.answer()
    assert (answer.status, answer.body) == (200, b"")
    await guest.send("GET", NEXT)
    assert await bench.environment.hears() == ("restored",)
    bench.runtime.event(event())
    assert (await guest.answer()).status == 200
    await bench.close()


async def test_a_failed_restore_is_told_over_either_path() -> None:
    for path in (RESTORE_ERROR, INIT_ERROR):
        bench = Bench(snap_start=True)
        guest = await bench.guest()
        assert (await guest.call("POST", RESTORE_ERROR)).error[:2] == (403, "InvalidStateTransition")
        await guest.send("GET", RESTORE)
        assert await bench.environment.hears() == ("restore_ready",)
        bench.runtime.restore()
        await guest.answer()
        kind = {"Lambda_Runtime_Function_Error_Type": "Runtime.AfterRestoreError"}
        assert (await guest.call("POST", path, BODY, **kind)).status == 202
        assert await bench.environment.hears() == ("restore_failed", BODY, "Runtime.AfterRestoreError")
        await bench.close()
