"""What functions and layers are made of: checked, unpacked and stored before anything refers to it."""

from __future__ import annotations

import asyncio
import logging
import re
import zipfile
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from lambent.kernel import limits
from lambent.kernel.body import BodyTooLarge
from lambent.kernel.clock import deadline
from lambent.kernel.objects import NoObjects, ObjectName, ObjectRefused, ObjectsUnreachable
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import packages as package_errors
from lambent.services.lambda_.records.packages import Package
from lambent.services.lambda_.rules import images, runtimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.configuration import Configuration, UsedLayer
    from lambent.store.blobs import Blob

log = logging.getLogger(__name__)

_BUCKET = re.compile(r"[0-9A-Za-z.\-_]*[0-9A-Za-z\-_]")
_PATHS = {"CreateFunction": "code.", "PublishLayerVersion": "content."}
"""Where an operation has the members of a package, where that is not at the top."""


async def check_runtime(parts: Parts, runtime: str) -> None:
    """Raise where functions of `runtime` cannot run on this machine, which says nothing of customer-managed ones; it is
    empty for an image."""
    known = runtime and runtime != runtimes.CUSTOM
    refusal = await parts.engine.refusal(runtime) if known else None
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
    source = _source(call.operation, code)
    blob = await (_given(call, code["ZipFile"]) if source is None else _fetched(call, source))
    await call.parts.engine.prepare(blob.digest)
    referred = code.get("S3ObjectStorageMode") == "REFERENCE"
    return Package(
        blob.digest, blob.size, source=source if referred else None, key_arn=code.get("SourceKMSKeyArn") or None
    )


def _source(operation: str, code: dict[str, Any]) -> ObjectName | None:
    """The object that holds the zip; None where the request itself does. The front door does not test the pattern of
    buckets, which looks behind."""
    if "ZipFile" in code:
        if "S3Bucket" in code or "S3Key" in code:
            raise package_errors.two_sources()
        return None
    if "S3Bucket" not in code or "S3Key" not in code:
        raise package_errors.no_code()
    if _BUCKET.fullmatch(code["S3Bucket"]) is None:
        raise package_errors.bad_bucket(code["S3Bucket"], _PATHS.get(operation, "") + "s3Bucket")
    return ObjectName(code["S3Bucket"], code["S3Key"], code.get("S3ObjectVersion"))


async def _given(call: Call[Parts], data: bytes) -> Blob:
    if len(data) > limits.FUNCTION_ZIP_BYTES:
        raise package_errors.zip_too_large()
    return await call.parts.blobs.put(data)


async def _fetched(call: Call[Parts], source: ObjectName) -> Blob:
    """A zip on S3 may be as large as what is in it."""
    try:
        async with (
            deadline(call.parts.clock, limits.OBJECT_READ_S),
            aclosing(call.parts.objects.read(source, call.region)) as content,
        ):
            return await call.parts.blobs.put(content, limits.FUNCTION_UNZIPPED_BYTES)
    except NoObjects as error:
        raise errors.not_built(call.operation, "S3Bucket and no s3_endpoint in the settings") from error
    except ObjectRefused as refusal:
        raise package_errors.object_refused(source, refusal) from refusal
    except (ObjectsUnreachable, TimeoutError) as error:
        log.warning("no package could be read from S3: %r", error)
        raise package_errors.objects_unreachable() from error
    except BodyTooLarge as error:
        raise package_errors.object_too_large() from error


async def weigh(parts: Parts, held: Configuration, layers: Iterable[UsedLayer] | None = None) -> dict[str, int]:
    """How many bytes the package of `held` and its layers, or `layers` in their place, hold unzipped, by digest.
    Nothing where there are no layers: a package alone was weighed when it was opened."""
    digests = [layer.sha256 for layer in (held.layers if layers is None else layers)]
    if not digests:
        return {}
    return await asyncio.to_thread(lambda: {digest: _weight(parts, digest) for digest in (held.code_sha256, *digests)})


def check_weight(parts: Parts, weights: Mapping[str, int], held: Configuration) -> None:
    """Raise AWS's error where the package of `held` and its layers hold too much together. What `weights` does not
    know, because an update has come in between, is weighed here and now."""
    if not held.layers:
        return
    digests = [held.code_sha256, *(layer.sha256 for layer in held.layers)]
    size = sum(weights[digest] if digest in weights else _weight(parts, digest) for digest in digests)
    if size > limits.FUNCTION_UNZIPPED_BYTES:
        raise package_errors.unzipped_too_large(size)


def _weight(parts: Parts, digest: str) -> int:
    return _unzipped(parts.blobs.path(digest))


def _unzipped(path: Path) -> int:
    """How many bytes the files of a zip have that has been opened before."""
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
