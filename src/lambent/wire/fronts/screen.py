"""The screen: which requests a front answers for the server, read and verified as the gateway does it.

Everything that is not plain is left to the gateway, which has the words for it: a request that is refused here is not
answered but handed on, so that there is one place where errors are made.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.kernel.settings import is_loopback
from lambent.wire.claims import UNSIGNED_PAYLOAD, NotAuthentic, read_claim
from lambent.wire.cors import Browsers
from lambent.wire.route import Router, Unroutable
from lambent.wire.sigv4 import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambent.kernel.authority import Authority, Principal
    from lambent.kernel.call import Request
    from lambent.kernel.clock import Clock
    from lambent.kernel.settings import Settings
    from lambent.wire.codec import OperationCodec
    from lambent.wire.http import HttpRequest
    from lambent.wire.models import Models
    from lambent.wire.sigv4 import Admission

SERVICE = "lambda"
PROTOCOL = "rest-json"
HOT = frozenset({"Invoke"})
"""The operations that a front reads. Their inputs and outputs are plain values, none of them a stream."""

_HOT_PATH = "/invocations"
_RARE = frozenset({"content-encoding", "origin", "sec-fetch-site", "smithy-protocol", "x-amz-target"})
"""Headers that make a request something that the gateway has to look at."""


def is_hot(http: HttpRequest) -> bool:
    """Whether `http` looks like a call that a front could have read."""
    return http.path.endswith(_HOT_PATH)


class Wanted(NamedTuple):
    """A head that a front may read the body of: of a hot operation, by somebody who is known and in time."""

    http: HttpRequest
    codec: OperationCodec
    admission: Admission


class Passed(NamedTuple):
    """A request that a front may ask for."""

    codec: OperationCodec
    region: str
    principal: Principal
    request: Request
    trace: str
    """The tracing header; empty where there is none."""


class Screen:
    """Lets through what is a hot operation, well-formed, and signed by whom it says."""

    def __init__(
        self, models: Models, authority: Authority, clock: Clock, settings: Settings, kinds: Iterable[str]
    ) -> None:
        """`kinds` are those of the addresses of their own that the server answers at."""
        self._router = Router(models, [SERVICE])
        self._verifier = Verifier(authority.credential, clock)
        self._kinds = frozenset(kinds)
        self._browsers = Browsers(
            loopback=is_loopback(settings.host), hosts=(settings.host,), strange=lambda _host: False
        )
        self._codecs = {operation: models.codec(SERVICE, operation, PROTOCOL) for operation in HOT}
        self._ordinary = lru_cache(limits.HOSTS_CACHED)(self._is_ordinary)

    def wants(self, http: HttpRequest) -> Wanted | None:
        """A request whose body may not be here yet; None where it cannot be for a front, or a stranger sends it."""
        if not self._is_plain(http):
            return None
        try:
            claim = read_claim(http)
            if claim is None or claim.scope.service != SERVICE:
                return None
            admission = self._verifier.admit(http, claim)
            route = self._router.find(http, SERVICE)
        except (NotAuthentic, Unroutable, AwsError):
            return None
        codec = self._codecs.get(route.operation)
        return None if codec is None or route.protocol != PROTOCOL else Wanted(http, codec, admission)

    def let_through(self, wanted: Wanted, body: bytes) -> Passed | None:
        """What a request that is wanted asks for; None where the gateway has to tell what is wrong with it."""
        http, codec, admission = wanted
        try:
            principal = self._signer(http, admission, body)
            if principal is None:
                return None
            trace = http.fields.get("x-amzn-trace-id", "")
            return Passed(codec, admission.claim.scope.region, principal, codec.decode(http, body), trace)
        except (NotAuthentic, AwsError):
            return None

    def _is_plain(self, http: HttpRequest) -> bool:
        return (
            http.method == "POST"
            and is_hot(http)
            and _RARE.isdisjoint(http.fields)
            and "authorization" in http.fields
            and not self._router.wants_body(http)
            and self._ordinary(http.fields.get("host", ""))
            and self._browsers.answer(http) is None
        )

    def _signer(self, http: HttpRequest, admission: Admission, body: bytes) -> Principal | None:
        payload = admission.claim.payload
        if payload != UNSIGNED_PAYLOAD:
            digest = hashlib.sha256(body).hexdigest()
            if payload and payload != digest:
                return None
            payload = digest
        return self._verifier.verify(http, admission, payload).principal

    def _is_ordinary(self, host: str) -> bool:
        """Whether `host` is no address of its own: those are NAME.KIND.REGION.DOMAIN."""
        labels = host.lower().split(".", 2)
        return len(labels) < 3 or labels[1] not in self._kinds
