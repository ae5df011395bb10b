"""JSON for what the short way does not take: wrong text, and values beyond the plain ones. Loaded when needed.

AWS's client encodes with simplejson: named tuples are objects, bytes are text, decimals are numbers as written.
"""

# mypy: ignore-errors

import _json
import json
import math


class _Raw(str):
    """Text that is JSON already."""

    __slots__ = ()


def decode(body):
    """The value in `body`. Raises ValueError with json's own words."""
    return json.loads(body, parse_constant=_no_constant)


def _no_constant(name):
    raise ValueError("Expecting value: " + name)


def encode(value, client_json):
    """The JSON of `value`. Raises TypeError or ValueError."""

    def text(part):
        return part if type(part) is _Raw else client_json.text(part)

    encoder = _json.make_encoder(None, None, text, None, ": ", ", ", False, False, True)
    return "".join(encoder(_plain(value, set()), 0))


def _plain(value, above):
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (list, tuple, dict)) or callable(getattr(value, "_asdict", None)):
        if id(value) in above:
            raise ValueError("Circular reference detected")
        above.add(id(value))
        try:
            return _container(value, above)
        finally:
            above.discard(id(value))
    return _other(value)


def _container(value, above):
    if not isinstance(value, (list, dict)) and callable(getattr(value, "_asdict", None)):
        value = value._asdict()
    if isinstance(value, dict):
        return {_key(key): _plain(item, above) for key, item in value.items()}
    return [_plain(item, above) for item in value]


def _key(key):
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, bytes):
        return key.decode()
    if key is None or isinstance(key, (bool, int, float)):
        return key if key is None or isinstance(key, bool) else (int(key) if isinstance(key, int) else float(key))
    raise TypeError("keys must be str, int, float, bool or None, not " + type(key).__name__)


def _other(value):
    decimal = client.sys.modules.get("decimal")  # noqa: F821 nobody has a decimal without its module
    if decimal is not None and isinstance(value, decimal.Decimal):
        return math.nan if value.is_nan() else _Raw(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)
