"""How a change of a function is accepted: one at a time, on the revision that the caller has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_ import capacity_providers, errors, publishing, room, signing
from lambent.services.lambda_.records import LATEST, Function, Version, updating
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.store import functions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.publishing import Publication
    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.configuration import Configuration
    from lambent.store.api import Transaction


def key_of(call: Call[Parts], name: str) -> FunctionKey:
    """The function that `name` says to change, which is always its `$LATEST`."""
    key, qualifier = names.parse(call, name)
    if qualifier not in (None, LATEST):
        raise errors.not_found(key, qualifier)
    return key


async def changeable(call: Call[Parts], key: FunctionKey, revision_id: str | None) -> Function:
    """The function, where a change of it would be accepted now. Raises as `accept` does."""
    return checked(await call.parts.directory.find(key), key, revision_id)


async def accept(
    call: Call[Parts],
    key: FunctionKey,
    revision_id: str | None,
    edit: Callable[[Configuration], Configuration],
    publication: Publication | None = None,
) -> Function | Version:
    """Store what `edit` makes of the function's configuration; completing it is the settler's. With a publication it
    is published at once, and the version is the answer.

    Raises AWS's errors where the function is missing, being created or updated, or not at `revision_id`.
    """
    next_id, now = call.parts.ids.uuid(), call.parts.now_ms()

    def work(tx: Transaction) -> Function | Version:
        function = checked(functions.find(tx, key), key, revision_id)
        updated = updating(function, edit(function.configuration), next_id, now)
        if updated.configuration.instances != function.configuration.instances:
            capacity_providers.check_joining(tx, updated.configuration)
        if not updated.configuration.packages <= function.configuration.packages:
            signing.check_still(tx, key)
        functions.update(tx, updated)
        if publication is None and updated.configuration.code_size <= function.configuration.code_size:
            return updated
        version = None if publication is None else publishing.publish(tx, updated, publication, call.parts.blobs)
        room.check(tx, call)
        return version or updated

    accepted = await call.parts.directory.change(key, work)
    if isinstance(accepted, Version):
        publishing.retire_replaced(call.parts, accepted)
    return accepted


def checked(function: Function | None, key: FunctionKey, revision_id: str | None) -> Function:
    """`function`, where a change of it is accepted. Raises as `accept` does."""
    if function is None:
        raise errors.not_found(key)
    if revision_id and revision_id != function.revision_id:
        raise errors.stale_revision()
    if function.state == "Pending":
        raise errors.not_ready("Pending")
    if not function.settled:
        raise errors.update_in_progress(key)
    return function
