"""Names and ids: what a policy's ARN says, and new unique ids."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from lambent.kernel.arn import Arn

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ID_CHARACTERS = 17


def unique_id(ids: Ids, prefix: str) -> str:
    """A new id that no other entity has ever had."""
    return prefix + bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in ids.bytes(_ID_CHARACTERS)).decode()


def derived_id(prefix: str, text: str) -> str:
    """An id that is always the same for `text`."""
    return prefix + base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:_ID_CHARACTERS]


def named(arn: str, kind: str) -> Arn | None:
    """The parsed ARN of an IAM entity of `kind` (`role`, `policy`); None where it is none."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return None
    is_one = parsed.service == "iam" and not parsed.region and parsed.resource.startswith(f"{kind}/")
    return parsed if is_one and parsed.account and last(parsed) else None


def last(arn: Arn) -> str:
    """The name at the end of an ARN, behind its path."""
    return arn.resource.rpartition("/")[2]
