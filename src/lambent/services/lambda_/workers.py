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
    """Removes deployment packages that no function refers to. Their age tells them from those still on their way in:
    a package is stored before the function that refers to it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.sweep()
            await self._parts.clock.sleep(limits.CODE_SWEEP_S)

    async def sweep(self) -> None:
        """Remove what nobody refers to now and nobody has stored for CODE_UNUSED_S."""
        functions = await self._parts.store.read(store.every)
        live = {digest for function in functions for digest in function.packages}
        await self._parts.blobs.sweep(live, limits.CODE_UNUSED_S)
        await self._parts.engine.prune()
