"""The background loops of the Lambda service: one completes what was accepted, one removes code nobody refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import store
from lambent.services.lambda_.records import settled

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function


class Settler:
    """Completes creations and updates: after each change, and at the start those that a crash left behind."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            while len(await self._settle()) == limits.FUNCTIONS_SETTLED:
                pass
            await self._parts.directory.changes()

    async def _settle(self) -> list[Function]:
        parts = self._parts
        done = await parts.directory.settle(
            limits.FUNCTIONS_SETTLED, lambda function: settled(function, parts.ids.uuid())
        )
        for function in done:
            parts.engine.retire(function.key.arn())
        return done


class CodeSweeper:
    """Removes deployment packages that no function has referred to for a while. Their age counts from when they were
    stored, which is before a function refers to them, or from when the last change let go of them: what is under way
    with them then, an invocation or a link to them, ends well before their time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.sweep()
            await self._parts.clock.sleep(limits.CODE_SWEEP_S)

    async def sweep(self) -> None:
        """Remove what nobody refers to now and nobody has stored or let go of for CODE_UNUSED_S."""
        functions = await self._parts.store.read(store.every)
        live = {digest for function in functions for digest in function.packages}
        await self._parts.blobs.sweep(live, limits.CODE_UNUSED_S)
        await self._parts.engine.prune()
