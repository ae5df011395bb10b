"""AWS Security Token Service: who is calling, and temporary credentials."""

from __future__ import annotations

from lambent.kernel.service import Service
from lambent.services.sts.operations.identity import get_access_key_info, get_caller_identity
from lambent.services.sts.operations.sessions import assume_role, get_session_token
from lambent.services.sts.parts import Parts

__all__ = ["Parts", "build"]


def build(parts: Parts) -> Service:
    """The service as the gateway knows it."""
    return Service(
        name="sts",
        parts=parts,
        operations=(get_caller_identity, get_access_key_info, assume_role, get_session_token),
        notes={
            "AssumeRole": "trust policies and policies of the session are not evaluated yet: in production everybody "
            "in the role's account may become it, in development everybody",
        },
    )
