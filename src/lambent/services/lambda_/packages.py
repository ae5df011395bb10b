"""Deployment packages and layers: checked, unpacked and stored before any function refers to them."""

from __future__ import annotations

import asyncio
import zipfile
from typing import TYPE_CHECKING, Any

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.rules import refusals

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.configuration import UsedLayer
    from lambent.store.blobs import Blob


async def receive(call: Call[Parts], code: dict[str, Any]) -> Blob:
    """Store the zip in `code`, the members that functions and layers share, and unpack it.

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


async def check_size(parts: Parts, code_sha256: str, layers: Iterable[UsedLayer]) -> None:
    """Raise AWS's error where a package, which has been received, and `layers` hold too much together."""
    digests = [layer.sha256 for layer in layers]
    if not digests:
        return
    paths = [parts.blobs.path(digest) for digest in (code_sha256, *digests)]
    size = await asyncio.to_thread(lambda: sum(_unzipped(path) for path in paths))
    if size > limits.FUNCTION_UNZIPPED_BYTES:
        raise errors.unzipped_too_large(size)


def _unzipped(path: Path) -> int:
    """How many bytes the files of a zip have that has been opened before."""
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
