"""Links in answers: URLs that let their holder fetch one thing for a while, with no other credential."""

from __future__ import annotations

from typing import Protocol


class Links(Protocol):
    """Makes presigned URLs; the wire honours them."""

    def code(self, endpoint: str, digest: str, seconds: int) -> str:
        """A URL below `endpoint` that answers the blob `digest` (sha256, hex) for `seconds`."""
