"""CORS of function URLs: what the URL itself answers to browsers, and the headers that it adds to answers.

A preflight never reaches the function. To any other answer the URL adds its headers beside those of the function, so
that a function that sends its own as well sends them twice, as on AWS.
https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.doors import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambent.kernel.doors import Headers
    from lambent.services.lambda_.records.urls import Cors

_ANY = "*"


def preflight(cors: Cors | None, method: str, fields: Mapping[str, str]) -> Reply | None:
    """The answer to a preflight; None for every other request, and where the URL leaves them to its function."""
    wanted = fields.get("access-control-request-method")
    if cors is None or method != "OPTIONS" or not wanted or "origin" not in fields:
        return None
    headers = _origin(cors, fields)
    if headers:
        headers += [("Access-Control-Allow-Methods", _listed(cors.methods, wanted))] if cors.methods else []
        headers += _allowed_headers(cors, fields)
        headers += [("Access-Control-Max-Age", str(cors.max_age_s))] if cors.max_age_s is not None else []
    return Reply(200, headers)


def added(cors: Cors | None, fields: Mapping[str, str]) -> Headers:
    """The headers that let the page that asked read the answer; none where it may not, or no page asked."""
    if cors is None:
        return []
    headers = _origin(cors, fields)
    if headers and cors.exposed:
        headers.append(("Access-Control-Expose-Headers", ",".join(cors.exposed)))
    return headers


def _origin(cors: Cors, fields: Mapping[str, str]) -> Headers:
    origin = fields.get("origin")
    if not origin or not {origin, _ANY} & set(cors.origins or ()):
        return []
    credentials = [("Access-Control-Allow-Credentials", "true")] if cors.credentials else []
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin"), *credentials]


def _allowed_headers(cors: Cors, fields: Mapping[str, str]) -> Headers:
    wanted = fields.get("access-control-request-headers", "")
    allowed = _listed(cors.headers, wanted) if cors.headers else ""
    return [("Access-Control-Allow-Headers", allowed)] if allowed else []


def _listed(allowed: tuple[str, ...], wanted: str) -> str:
    """What is allowed; where that is everything, what is wanted, because browsers take no `*` with credentials."""
    return wanted if _ANY in allowed else ",".join(allowed)
