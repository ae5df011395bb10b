"""Roles as other services need them, found by their ARN."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from lambent.kernel import limits
from lambent.kernel.authority import Role
from lambent.kernel.errors import AwsError
from lambent.services.iam import store
from lambent.services.iam.rules import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.tasks import Supervisor
    from lambent.store.api import Store, Transaction

T = TypeVar("T")


class StoredRoles:
    """Implements `kernel.authority.Roles`. Every change of a role goes through `change`, and what was found is kept in
    memory until the next one, for every environment of a function asks for its role."""

    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self._store = store
        self._supervisor = supervisor
        self._kept: dict[str, Role | None] = {}
        self._changing = 0
        self._turns = 0
        """How many changes have begun or ended."""

    async def find(self, role_arn: str) -> Role | None:
        """The role of any account, or None."""
        if role_arn in self._kept:
            return self._kept[role_arn]
        turns = self._turns
        role = await self._read(role_arn)
        if turns == self._turns and not self._changing:
            if len(self._kept) >= limits.ROLES_CACHED:
                del self._kept[next(iter(self._kept))]
            self._kept[role_arn] = role
        return role

    async def change(self, work: Callable[[Transaction], T]) -> T:
        """Run `work`, which makes, changes or removes a role, and return its result once it is durable. It goes on to
        its end without a caller who goes away."""
        task: asyncio.Task[T | AwsError] = self._supervisor.start("change a role", self._change(work))
        result = await asyncio.shield(task)
        if isinstance(result, AwsError):
            raise result
        return result

    async def _change(self, work: Callable[[Transaction], T]) -> T | AwsError:
        self._turn(1)
        try:
            return await self._store.write(work)
        except AwsError as refusal:
            return refusal
        finally:
            self._turn(-1)

    def _turn(self, change: int) -> None:
        self._changing += change
        self._turns += 1
        self._kept.clear()

    async def _read(self, role_arn: str) -> Role | None:
        parsed = names.named(role_arn, "role")
        if parsed is None:
            return None
        key = names.last(parsed).lower()
        found = await self._store.read(lambda tx: store.find_role(tx, parsed.account, key))
        if found is None or found.arn != role_arn:
            return None
        return Role(found.arn, found.role_id, found.max_session_s)
