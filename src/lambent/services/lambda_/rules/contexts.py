"""The client context: what a caller passes to a function beside the event, and how it is checked."""

from __future__ import annotations

import base64
import binascii

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_ import errors


def decoded(text: str | None) -> bytes | None:
    """The JSON object in the base64 `text`; None where there is none. Raises AWS's error where it is bad."""
    if not text:
        return None
    if len(text) > limits.CLIENT_CONTEXT_BYTES:
        raise errors.bad_client_context()
    try:
        context = base64.b64decode(text, validate=True)
        msgspec.json.decode(context, type=dict)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise errors.bad_client_context() from error
    return context
