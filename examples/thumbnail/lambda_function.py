"""Makes thumbnails of a photo: base64 in, JPEGs in base64 out, each no larger than its square."""

import base64
import binascii
import io
import logging

from PIL import Image, ImageOps, UnidentifiedImageError

SIZES = (64, 160, 320)
JPEG_QUALITY = 85

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def lambda_handler(event, context):
    photo = read_photo(event.get("image"))
    thumbnails = [make_thumbnail(photo, size) for size in event.get("sizes", SIZES)]
    logger.info("%d thumbnails of a %dx%d photo", len(thumbnails), *photo.size)
    return {"width": photo.width, "height": photo.height, "thumbnails": thumbnails}


def read_photo(encoded):
    """The photo, upright and in RGB. Raises ValueError where `encoded` is not an image in base64."""
    if not encoded:
        raise ValueError("the event needs `image`: a photo in base64")
    try:
        photo = Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
        return ImageOps.exif_transpose(photo).convert("RGB")
    except binascii.Error as error:
        raise ValueError("`image` is not base64") from error
    except UnidentifiedImageError as error:
        raise ValueError("`image` is not a picture that Pillow can read") from error


def make_thumbnail(photo, size):
    """`photo` scaled down to fit a square of `size` pixels; its proportions stay."""
    thumbnail = photo.copy()
    thumbnail.thumbnail((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    thumbnail.save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return {
        "size": size,
        "width": thumbnail.width,
        "height": thumbnail.height,
        "jpeg": base64.b64encode(out.getvalue()).decode(),
    }
