"""Colours as a web API: FastAPI behind a function URL, with Mangum between them."""

import colorsys
import struct
import zlib
from typing import Annotated

from fastapi import FastAPI, HTTPException, Path, Response
from mangum import Mangum
from pydantic import BaseModel, Field

HEX = r"^[0-9a-fA-F]{6}$"
SIDE = 64

app = FastAPI(title="Colours", description="What a colour is, and how it looks.")


class Colour(BaseModel):
    """One colour in the spellings of several trades."""

    hex: str
    rgb: tuple[int, int, int]
    hue: int
    light: bool


class Mixture(BaseModel):
    """What to mix, in equal parts."""

    colours: Annotated[list[Annotated[str, Field(pattern=HEX)]], Field(min_length=2, max_length=16)]


@app.get("/")
def index() -> dict[str, str]:
    """Where to go from here."""
    return {"colour": "/colours/ff8800", "picture": "/colours/ff8800.png", "documentation": "/docs"}


@app.get("/colours/{name}.png")
def picture(name: Annotated[str, Path(pattern=HEX)]) -> Response:
    """A square of the colour, as a PNG."""
    return Response(png(rgb(name)), media_type="image/png")


@app.get("/colours/{name}")
def colour(name: Annotated[str, Path(pattern=HEX)], response: Response) -> Colour:
    """The colour in other spellings; a cookie remembers it."""
    response.set_cookie("last", name)
    return described(rgb(name))


@app.post("/mixtures", status_code=201)
def mix(mixture: Mixture) -> Colour:
    """The colour halfway between several."""
    parts = [rgb(name) for name in mixture.colours]
    red, green, blue = (sum(channel) // len(parts) for channel in zip(*parts, strict=True))
    if (red, green, blue) == (0, 0, 0):
        raise HTTPException(422, "black and black make no mixture")
    return described((red, green, blue))


def rgb(name: str) -> tuple[int, int, int]:
    """The channels of `ff8800`."""
    red, green, blue = bytes.fromhex(name)
    return red, green, blue


def described(channels: tuple[int, int, int]) -> Colour:
    """A colour by its channels."""
    hue, lightness, _ = colorsys.rgb_to_hls(*(channel / 255 for channel in channels))
    return Colour(hex=bytes(channels).hex(), rgb=channels, hue=round(hue * 360), light=lightness > 0.5)


def png(channels: tuple[int, int, int]) -> bytes:
    """A square of one colour: the smallest PNG there is, but for the compression."""
    rows = (b"\0" + bytes(channels) * SIDE) * SIDE
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


lambda_handler = Mangum(app, lifespan="off")
