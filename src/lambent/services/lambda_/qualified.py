"""What a qualifier stands for, as the store stands in a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.records import LATEST
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.store import aliases, functions, versions

if TYPE_CHECKING:
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


def exists(tx: Transaction, key: FunctionKey, qualifier: str | None) -> bool:
    """Whether there is such a function, and such a version or alias of it where a qualifier names one."""
    if functions.find(tx, key) is None:
        return False
    if qualifier in (None, LATEST):
        return True
    if names.is_version(qualifier):
        return versions.find(tx, key, names.number(qualifier)) is not None
    return aliases.find(tx, key, qualifier) is not None
