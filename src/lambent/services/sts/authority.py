"""Who a key stands for: the settings' key pairs, the well-known ones of development, and sealed sessions."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.arn import Arn, arn
from lambent.kernel.authority import Credential, Principal, Session, SessionCredentials
from lambent.services.sts import errors
from lambent.services.sts.rules import access_keys
from lambent.services.sts.tokens import BadToken, Grant, Sealer

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.kernel.settings import Settings

DEVELOPMENT_KEY = "test"
_SECRET_BYTES = 30


class SessionAuthority:
    """Implements `kernel.authority.Authority` without a store: what a session is stands in its token.

    `key` is a durable secret of 32 bytes; with another one, every session is unknown.
    """

    def __init__(self, settings: Settings, clock: Clock, ids: Ids, key: bytes) -> None:
        self._account = settings.account
        self._development = settings.development
        self._clock = clock
        self._ids = ids
        self._sealer = Sealer(key, ids)
        self._open = lru_cache(limits.SESSIONS_CACHED)(self._opened)
        self._credentials = {
            pair.access_key_id: Credential(pair.secret_access_key, root(pair.account or settings.account))
            for pair in settings.keys
        }
        if settings.development:
            self._credentials.setdefault(DEVELOPMENT_KEY, Credential(DEVELOPMENT_KEY, root(settings.account)))

    def credential(self, access_key_id: str, session_token: str | None) -> Credential:
        """The credential of `access_key_id`. Raises AwsError: InvalidClientTokenId, ExpiredToken."""
        if session_token is None or self._is_for_development(access_key_id):
            return self._long_lived(access_key_id)
        credential, expires = self._open(access_key_id, session_token)
        if self._clock.time() >= expires:
            raise errors.expired_token()
        return credential

    def anonymous(self) -> Principal:
        """Who an unsigned call acts as, in the words of CloudTrail."""
        return Principal(self._account, "*", "ANONYMOUS_PRINCIPAL")

    def session(
        self, role_arn: str, session_name: str, seconds: float, role_id: str | None = None
    ) -> SessionCredentials:
        """New temporary credentials for `role_arn`, whose id gets a stand-in where it is not known."""
        return self.grant(assumed(role_arn, session_name, role_id or _stand_in(role_arn)), seconds)

    def grant(self, principal: Principal, seconds: float, minimum_token: int = 0) -> SessionCredentials:
        """New temporary credentials for `principal`, with a token of at least `minimum_token` characters."""
        access_key_id = access_keys.temporary(self._ids, principal.account)
        secret = base64.b64encode(self._ids.bytes(_SECRET_BYTES)).decode()
        expires = float(int(self._clock.time() + seconds))
        token = self._sealer.seal(access_key_id, Grant(principal, secret, expires), minimum_token)
        return SessionCredentials(access_key_id, secret, token, expires)

    def may_assume(self, caller: Principal, role_arn: str) -> bool:
        """Whether `caller` may become `role_arn`. Trust policies are not evaluated yet: in production a role belongs to
        its own account alone, in development to everybody."""
        return self._development or Arn.parse(role_arn).account == caller.account

    def account_of(self, access_key_id: str) -> str | None:
        """The account of an access key id, also of one that is not ours; None where it cannot be told."""
        known = self._find(access_key_id)
        return access_keys.account(access_key_id) if known is None else known.principal.account

    def _is_for_development(self, access_key_id: str) -> bool:
        """Many set a token beside the well-known pair, because their tools ask for one; it says nothing."""
        return self._development and (access_key_id == DEVELOPMENT_KEY or _is_account(access_key_id))

    def _long_lived(self, access_key_id: str) -> Credential:
        credential = self._find(access_key_id)
        if credential is None:
            raise errors.invalid_token()
        return credential

    def _find(self, access_key_id: str) -> Credential | None:
        credential = self._credentials.get(access_key_id)
        if credential is None and self._development and _is_account(access_key_id):
            return Credential(DEVELOPMENT_KEY, root(access_key_id))
        return credential

    def _opened(self, access_key_id: str, session_token: str) -> tuple[Credential, float]:
        try:
            grant = self._sealer.open(access_key_id, session_token)
        except BadToken:
            raise errors.invalid_token() from None
        return Credential(grant.secret_access_key, grant.principal), grant.expires


def root(account: str) -> Principal:
    """The root user of `account`."""
    return Principal(account, arn("iam", "", account, "root"), account)


def assumed(role_arn: str, session_name: str, role_id: str, session: Session | None = None) -> Principal:
    """Whoever has assumed `role_arn` under `session_name`; the path of the role does not show."""
    role = Arn.parse(role_arn)
    name = role.resource.rpartition("/")[2]
    shown = arn("sts", "", role.account, f"assumed-role/{name}/{session_name}")
    return Principal(role.account, shown, f"{role_id}:{session_name}", session or Session())


def _is_account(text: str) -> bool:
    return len(text) == 12 and text.isascii() and text.isdigit()


@lru_cache(limits.ROLES_CACHED)
def _stand_in(role_arn: str) -> str:
    digest = hashlib.sha256(role_arn.encode()).digest()
    return "AROA" + base64.b32encode(digest).decode()[:17]
