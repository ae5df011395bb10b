"""Whether the packages of an account still fit into what it may store.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_.errors import packages as errors
from lambent.services.lambda_.store import storage

if TYPE_CHECKING:
    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.store.api import Transaction


def check(tx: Transaction, call: Call[Parts]) -> None:
    """Raise AWS's error where what the transaction has stored is too much for the caller's account; it is undone."""
    if storage.stored(tx, call.account, call.region) > call.parts.settings.code_bytes:
        raise errors.storage_exceeded()
