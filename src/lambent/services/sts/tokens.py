"""Session tokens: a session sealed so that only this installation can make, read or alter one.

docs/decisions/0008-session-tokens.md says why sessions are not rows.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from lambent.kernel.authority import Principal  # noqa: TC001 msgspec reads the annotation

if TYPE_CHECKING:
    from lambent.kernel.ids import Ids

_VERSION = b"\x01"
_NONCE_BYTES = 12


class BadToken(Exception):
    """A session token that was not sealed here for this access key id."""


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """What a token proves: whose session this is, which secret signs for it and when it ends."""

    principal: Principal
    secret_access_key: str
    expires: float
    """Seconds since the epoch."""
    padding: bytes = b""


class Sealer:
    """Turns grants into tokens and back under a 32-byte key."""

    def __init__(self, key: bytes, ids: Ids) -> None:
        self._cipher = AESGCMSIV(key)
        self._ids = ids
        self._decoder = msgspec.msgpack.Decoder(Grant)

    def seal(self, access_key_id: str, grant: Grant, minimum: int = 0) -> str:
        """A token of at least `minimum` characters that opens with `access_key_id` only."""
        token = self._seal(access_key_id, grant)
        if len(token) >= minimum:
            return token
        missing = (minimum - len(token)) * 3 // 4 + 3
        return self._seal(access_key_id, msgspec.structs.replace(grant, padding=bytes(missing)))

    def open(self, access_key_id: str, token: str) -> Grant:
        """The grant in `token`. Raises BadToken."""
        try:
            raw = base64.b64decode(token, validate=True)
            nonce, sealed = raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
            return self._decoder.decode(self._cipher.decrypt(nonce, sealed, raw[:1] + access_key_id.encode()))
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise BadToken from error

    def _seal(self, access_key_id: str, grant: Grant) -> str:
        nonce = self._ids.bytes(_NONCE_BYTES)
        plain = msgspec.msgpack.encode(grant)
        sealed = self._cipher.encrypt(nonce, plain, _VERSION + access_key_id.encode())
        return base64.b64encode(_VERSION + nonce + sealed).decode()
