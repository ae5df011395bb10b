"""The endpoints that any process of an environment may ask: /ping, its metadata, and with SnapStart its credentials."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import msgspec

from lambent.compute.runtime_api import answers
from lambent.compute.runtime_api.request import Dropped

if TYPE_CHECKING:
    from lambent.compute.runtime_api.parts import Parts
    from lambent.compute.runtime_api.request import Intake, Request

_METADATA_KEPT = b"Cache-Control: private, max-age=43200, immutable\r\n"


def ping(parts: Parts, request: Request) -> Intake:  # noqa: ARG001 an endpoint's shape
    """GET /2018-06-01/ping."""
    return Dropped(request.peer, answers.PONG)


def metadata(parts: Parts, request: Request) -> Intake:
    """GET /2026-01-15/metadata/execution-environment, for whoever shows AWS_LAMBDA_METADATA_TOKEN.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-metadata-endpoint.html
    """
    shown = request.fields.get(b"authorization", b"")
    if not hmac.compare_digest(shown, b"Bearer " + parts.about.metadata_token.encode()):
        return Dropped(request.peer, answers.UNAUTHORIZED)
    body = msgspec.json.encode({"AvailabilityZoneID": parts.about.zone})
    return Dropped(request.peer, answers.answer(200, body, headers=_METADATA_KEPT))


def credentials(parts: Parts, request: Request) -> Intake:
    """GET /2021-04-23/credentials, where AWS_CONTAINER_CREDENTIALS_FULL_URI points with SnapStart.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """
    given = parts.host.credentials(request.text(b"authorization"))
    return Dropped(request.peer, answers.NO_CREDENTIALS if given is None else answers.answer(200, given))
