"""AWS's errors for the packages of functions and layers, and for where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.errors import invalid

if TYPE_CHECKING:
    from lambent.kernel.objects import ObjectName, ObjectRefused


def no_code() -> AwsError:
    """Nothing names a package."""
    return invalid("Please provide a source for function code.")


def two_sources() -> AwsError:
    """A zip in the request and one on S3."""
    return invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")


def bad_bucket(bucket: str, path: str) -> AwsError:
    """No bucket has this name. It is said in the words of the front door; `path` names the member."""
    message = (
        f"1 validation error detected: Value '{bucket}' at '{path}' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [0-9A-Za-z\.\-_]*(?<!\.)"
    )
    return AwsError("ValidationException", message, status=400)


def object_refused(source: ObjectName, refusal: ObjectRefused) -> AwsError:
    """S3 does not give the zip, in the words that Lambda puts around S3's own."""
    if refusal.code == "AccessDenied":
        message = (
            "Your access has been denied by S3, please make sure your request credentials have permission to "
            f"GetObject for {source.bucket}/{source.key}. S3 Error Code: {refusal.code}. "
            f"S3 Error Message: {refusal.message}"
        )
        return AwsError("AccessDeniedException", message, status=403)
    told = refusal.message
    if refusal.code == "PermanentRedirect" and refusal.region:
        told = f"The bucket is in this region: {refusal.region}. Please use this region to retry the request"
    return invalid(f"Error occurred while GetObject. S3 Error Code: {refusal.code}. S3 Error Message: {told}")


def storage_exceeded() -> AwsError:
    """The account has as much of packages as it may have."""
    return AwsError("CodeStorageExceededException", "Code storage limit exceeded.")


def objects_unreachable() -> AwsError:
    """S3 cannot be asked now."""
    return AwsError("ServiceException", "An error occurred while GetObject: S3 could not be reached.")


def object_too_large() -> AwsError:
    """The zip on S3 is larger than what may be in one."""
    return invalid(f"Unzipped size must be smaller than {limits.FUNCTION_UNZIPPED_BYTES} bytes")


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
