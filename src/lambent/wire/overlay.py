"""What botocore's models leave out about a service: one small JSON file per service in `overlays/`.

The file is named like botocore's service. Its fields are those of `Overlay`; an unknown field is an error at load.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Facts about one service. Operations, members and errors are named as in the model."""

    validation_code: str = ""
    """The code of the generic validation error; the protocol's usual one where empty."""
    body_limits: dict[str, int] = {}
    """By operation: the most bytes of body that are read."""
    protocols: tuple[str, ...] = ()
    """Protocols that the service still speaks though the model no longer lists them."""
    statuses: dict[str, int] = {}
    """By operation: the HTTP status of success where the model's is not what AWS answers."""
    payload_types: dict[str, str] = {}
    """By operation: the Content-Type of a payload that is mere bytes to the model."""
    error_statuses: dict[str, int] = {}
    """By error code: the HTTP status where the model has none or a wrong one."""
    error_type: bool = False
    """Whether errors whose shape has a `Type` member carry User or Service there."""
    unchecked: dict[str, tuple[str, ...]] = {}
    """By operation: members, as paths with dots, whose constraints the service checks itself, with its own error."""
    values_shown: bool = True
    """Whether the service's validation messages quote the value that fails."""
    enum_orders: dict[str, tuple[str, ...]] = {}
    """By shape: the order in which messages list the values of an enum, where that is not the model's."""
    elements_not_null: bool = False
    """Whether messages list "Member must not be null" among the constraints of a collection's elements."""


def load(service: str) -> Overlay:
    """The overlay of `service`; empty where it has none."""
    file = files("lambent.wire") / "overlays" / f"{service}.json"
    if not file.is_file():
        return Overlay()
    return msgspec.json.decode(file.read_bytes(), type=Overlay)
