"""What the policy of a layer version is."""

from __future__ import annotations

import msgspec


class LayerPolicy(msgspec.Struct, frozen=True):
    """The policy of a layer version, which unlike that of a function has a RevisionId of its own."""

    document: str
    revision_id: str
