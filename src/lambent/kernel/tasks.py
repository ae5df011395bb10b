"""The task supervisor: every background task is started here, none is lost and none fails in silence."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from lambent.kernel.clock import Clock

log = logging.getLogger(__name__)


class Supervisor:
    """Owns background tasks: `start` runs one once, `keep` runs one for ever, `stop` ends them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` once in the background; an exception that leaves it is logged with its traceback."""
        if self._stopping:
            work.close()
            raise RuntimeError(f"the supervisor is stopping; {name} was not started")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[Any]:
        """Run `work` until `stop`; when it raises, log it and run it again after a growing pause."""
        return self.start(name, self._again(name, work))

    async def stop(self, patience: float = limits.STOP_PATIENCE_S) -> None:
        """Cancel every task and wait for them, at most `patience` seconds."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=patience)
            for task in stuck:
                log.error("task %s did not stop within %.0f s", task.get_name(), patience)

    async def _again(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = limits.RESTART_PAUSE_MIN_S
        while True:
            started = self._clock.monotonic()
            try:
                await work()
            except Exception:
                if self._clock.monotonic() - started > limits.RESTART_PAUSE_MAX_S:
                    pause = limits.RESTART_PAUSE_MIN_S
                log.exception("task %s failed; it starts again in %.1f s", name, pause)
            else:
                return
            await self._clock.sleep(pause)
            pause = min(pause * 2, limits.RESTART_PAUSE_MAX_S)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("task %s failed", task.get_name(), exc_info=failure)
