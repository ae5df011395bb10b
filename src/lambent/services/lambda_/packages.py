"""What functions and layers are made of: checked, unpacked and stored before anything refers to it."""

from __future__ import annotations

import asyncio
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import packages as package_errors
from lambent.services.lambda_.records.configuration import Source  # noqa: TC001 msgspec reads it at run time
from lambent.services.lambda_.rules import images, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.configuration import UsedLayer


class Package(msgspec.Struct, frozen=True):
    """The code of a function, or the content of a layer, that has been received."""

    digest: str
    """sha256 in hex: of the zip, the blob's name then, or of the image."""
    size: int
    """Bytes of the zip; 0 for an image."""
    image: str | None = None
    """The reference of the image; None for a zip."""
    source: Source | None = None
    """The object on S3 that the zip is to be referred to as."""
    key_arn: str | None = None
    """The KMS key that the caller wants it encrypted with."""


async def check_runtime(parts: Parts, runtime: str | None) -> None:
    """Raise where functions of `runtime` cannot run on this machine; an image has none."""
    refusal = await parts.engine.refusal(runtime) if runtime else None
    if refusal is not None:
        raise errors.invalid(refusal)


async def receive_code(call: Call[Parts], code: dict[str, Any], package_type: str) -> Package:
    """The code of a function of `package_type` from the members in `code`. Raises as `receive` does, and AWS's errors
    for a reference that is not that of an image."""
    if package_type == "Image":
        return Package(images.digest(code["ImageUri"]), 0, code["ImageUri"])
    return await receive(call, code)


async def receive(call: Call[Parts], code: dict[str, Any]) -> Package:
    """Store the zip in `code`, the members that functions and layers share, and unpack it.

    Raises AWS's errors for what is not a zip, too large or not there at all.
    """
    data = code.get("ZipFile")
    if data is None:
        refusals.check(call.operation, code, refusals.CODE)
        raise package_errors.no_code()
    if "S3Bucket" in code or "S3Key" in code:
        raise package_errors.two_sources()
    if len(data) > limits.FUNCTION_ZIP_BYTES:
        raise package_errors.zip_too_large()
    blob = await call.parts.blobs.put(data)
    await call.parts.engine.prepare(blob.digest)
    return Package(blob.digest, blob.size, key_arn=code.get("SourceKMSKeyArn") or None)


async def check_size(parts: Parts, package: str, layers: Iterable[UsedLayer]) -> None:
    """Raise AWS's error where the zip with the digest `package`, which has been received, and `layers` hold too much
    together."""
    digests = [layer.sha256 for layer in layers]
    if not digests:
        return
    paths = [parts.blobs.path(digest) for digest in (package, *digests)]
    size = await asyncio.to_thread(lambda: sum(_unzipped(path) for path in paths))
    if size > limits.FUNCTION_UNZIPPED_BYTES:
        raise package_errors.unzipped_too_large(size)


def _unzipped(path: Path) -> int:
    """How many bytes the files of a zip have that has been opened before."""
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
