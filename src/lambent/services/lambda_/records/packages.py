"""What is known of a package that has been received, as functions and layers keep it."""

from __future__ import annotations

import msgspec

from lambent.kernel.objects import ObjectName  # noqa: TC001 msgspec reads it at run time


class Package(msgspec.Struct, frozen=True):
    """The code of a function, or the content of a layer, that has been received."""

    digest: str
    """sha256 in hex: of the zip, the blob's name then, or of the image."""
    size: int
    """Bytes of the zip; 0 for an image."""
    image: str | None = None
    """The reference of the image; None for a zip."""
    source: ObjectName | None = None
    """The object on S3 that the zip is to be referred to as."""
    key_arn: str | None = None
    """The KMS key that the caller wants it encrypted with."""
