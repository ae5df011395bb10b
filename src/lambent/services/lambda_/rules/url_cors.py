"""CORS of function URLs: what the URL itself answers to browsers, and the headers that it adds to answers.

A preflight never reaches the function. To any other answer the URL adds its headers beside those of the function, so
that a function that sends its own as well sends them twice, as on AWS.
https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.doors import Reply
from lambent.services.lambda_.rules.url_answers import TOKEN

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
        headers += _header("Access-Control-Allow-Methods", cors.methods, wanted)
        asked = fields.get("access-control-request-headers", "")
        headers += _header("Access-Control-Allow-Headers", cors.headers, asked)
        headers += [("Access-Control-Max-Age", str(cors.max_age_s))] if cors.max_age_s is not None else []
    return Reply(200, headers)


def added(cors: Cors | None, fields: Mapping[str, str]) -> Headers:
    """The headers that let the page that asked read the answer; none where it may not, or no page asked."""
    if cors is None:
        return []
    headers = _origin(cors, fields)
    return headers + (_header("Access-Control-Expose-Headers", cors.exposed) if headers else [])


def _origin(cors: Cors, fields: Mapping[str, str]) -> Headers:
    origin = fields.get("origin")
    if not origin or not {origin, _ANY} & set(cors.origins or ()):
        return []
    credentials = [("Access-Control-Allow-Credentials", "true")] if cors.credentials else []
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin"), *credentials]


def _header(name: str, allowed: tuple[str, ...] | None, wanted: str | None = None) -> Headers:
    """What is allowed, as a header; where that is everything, what is `wanted`, if that is known, because browsers take
    no `*` with credentials. What is configured and can be no name fits no header either, and is left out."""
    names = [one for one in allowed or () if TOKEN.fullmatch(one)]
    value = wanted if wanted is not None and _ANY in names else ",".join(names)
    return [(name, value)] if value else []
