"""AWS's errors for the packages of functions and layers, and for where they come from."""

from __future__ import annotations

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import invalid


def no_code() -> AwsError:
    """Nothing names a package."""
    return invalid("Please provide a source for function code.")


def two_sources() -> AwsError:
    """A zip in the request and one on S3."""
    return invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")


def zip_too_large() -> AwsError:
    """The archive itself is over the limit of direct uploads."""
    return AwsError(
        "RequestEntityTooLargeException",
        f"Zipped size must be smaller than {limits.FUNCTION_ZIP_BYTES} bytes",
        status=413,
    )


def unzipped_too_large(size: int) -> AwsError:
    """The package and the layers hold too much together."""
    return invalid(
        "Function code combined with layers exceeds the maximum allowed size of "
        f"{limits.FUNCTION_UNZIPPED_BYTES} bytes. The actual size is {size} bytes."
    )


def bad_image(reference: str) -> AwsError:
    """What is given as an image's reference is none."""
    return invalid(f"Source image {reference} is not valid. Provide a valid source image.")


def image_needed(doing: str) -> AwsError:
    """A function with an image takes nothing else as its code; `doing` is `creating` or `updating`."""
    return invalid(f"Please provide ImageUri when {doing} a function with packageType Image.")


def zip_needed(doing: str) -> AwsError:
    """A function with a zip takes no image as its code."""
    return invalid(f"Please don't provide ImageUri when {doing} a function with packageType Zip.")
