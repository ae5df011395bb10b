"""Access key ids: four letters that say what the key is, then base32 that says whose account it belongs to.

AWS keeps the account in the upper bits of an id's first six bytes, so anybody can tell whose key one is; ids made here
read the same way.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

_ID = re.compile(r"(?:AKIA|ASIA)([A-Z2-7]{16})")
_ACCOUNT_SHIFT = 7
_ACCOUNT_BYTES = 6
_ID_BYTES = 10


def temporary(ids: Ids, account: str) -> str:
    """A new access key id of a session in `account`."""
    noise = int.from_bytes(ids.bytes(_ACCOUNT_BYTES)) % (1 << _ACCOUNT_SHIFT)
    head = (int(account) << _ACCOUNT_SHIFT | noise).to_bytes(_ACCOUNT_BYTES)
    return "ASIA" + base64.b32encode(head + ids.bytes(_ID_BYTES - _ACCOUNT_BYTES)).decode()


def account(access_key_id: str) -> str | None:
    """The account that is written in an access key id; None where it is not such an id."""
    match = _ID.fullmatch(access_key_id)
    if match is None:
        return None
    head = int.from_bytes(base64.b32decode(match[1])[:_ACCOUNT_BYTES])
    number = (head & (1 << 8 * _ACCOUNT_BYTES - 1) - 1) >> _ACCOUNT_SHIFT
    return f"{number:012}" if number < 10**12 else None
