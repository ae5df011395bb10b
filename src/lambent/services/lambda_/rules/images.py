"""The references of container images: which are well formed, and what they say of the image itself.

https://github.com/distribution/reference/blob/main/reference.go
"""

from __future__ import annotations

import hashlib
import re

from lambent.kernel import limits
from lambent.services.lambda_.errors import packages as errors

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:[a-zA-Z0-9.-]+(?::\d{{1,5}})?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)


def check(reference: str) -> None:
    """Raise AWS's error unless `reference` is that of an image. AWS itself takes its own registry's only."""
    if len(reference) > limits.IMAGE_REFERENCE_LENGTH or _REFERENCE.fullmatch(reference) is None:
        raise errors.bad_image(reference)


def digest(reference: str) -> str:
    """What tells the code of one image from that of another: the sha256 of the image where `reference` names it, and
    otherwise that of the reference, for no registry is asked before the image runs. Raises as `check` does."""
    check(reference)
    return _digest(reference) or hashlib.sha256(reference.encode()).hexdigest()


def resolved(reference: str) -> str | None:
    """`reference`, which is well formed, by its digest alone; None where it names a tag."""
    found = _REFERENCE.fullmatch(reference)
    named = _digest(reference)
    return None if found is None or named is None else f"{found['repository']}@sha256:{named}"


def _digest(reference: str) -> str | None:
    found = _REFERENCE.fullmatch(reference)
    return None if found is None else found["digest"]
