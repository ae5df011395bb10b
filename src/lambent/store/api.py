"""The store's port: what every engine offers and all that the rest of the program knows of SQL databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lambent.kernel.targets import NO_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambent.kernel.targets import Attribute, Sender

T = TypeVar("T")

Row = tuple[Any, ...]


class Transaction(Protocol):
    """One unit of work. SQL uses `:name` parameters and only what SQLite and PostgreSQL share.

    Raises ConstraintBroken and StoreError (`store.errors`), never a driver's own exceptions.
    """

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Every row."""

    def run(self, sql: str, **values: Any) -> int:
        """Change rows; returns how many."""

    def send(
        self,
        target: str,
        event: bytes,
        trace: str = "",
        sender: Sender | None = None,
        attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> None:
        """Put `event` for the ARN `target` into the outbox: it leaves when, and only if, this commits. What goes with
        it is that of `kernel.targets.Target`."""


class Store(Protocol):
    """Transactions on a durable engine. `work` runs on another thread: it touches the transaction and plain
    values only, and may run again where an engine has to retry."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on a consistent snapshot that includes every acknowledged write."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` alone and return its result once it is durable; an exception undoes it whole."""

    async def sent(self) -> set[str]:
        """Wait for commits that put events into the outbox; their targets since this was last asked, by one asker."""
