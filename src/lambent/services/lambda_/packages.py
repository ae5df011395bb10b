"""Deployment packages: checked, unpacked and stored before any function refers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.rules import refusals

if TYPE_CHECKING:
    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.store.blobs import Blob


async def receive(call: Call[Parts], code: dict[str, Any]) -> Blob:
    """Store the zip in `code`, the members that CreateFunction and UpdateFunctionCode share, and unpack it.

    Raises AWS's errors for what is not a zip, too large or not there at all.
    """
    data = code.get("ZipFile")
    if data is None:
        refusals.check(call.operation, code, refusals.CODE)
        raise errors.invalid("Please provide a source for function code.")
    if "S3Bucket" in code or "S3Key" in code:
        raise errors.invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
    refusals.check(call.operation, code, refusals.CODE)
    if len(data) > limits.FUNCTION_ZIP_BYTES:
        raise errors.zip_too_large()
    blob = await call.parts.blobs.put(data)
    await call.parts.engine.prepare(blob.digest)
    return blob
