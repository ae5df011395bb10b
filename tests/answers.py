"""What no client shows of an answer: members that are null, of another type, or that the model does not have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

FIRST_FAILURE = 300
TYPES: dict[str, type | tuple[type, ...]] = {
    "blob": str,
    "boolean": bool,
    "double": (int, float),
    "float": (int, float),
    "integer": int,
    "list": list,
    "long": int,
    "map": dict,
    "string": str,
    "structure": dict,
    "timestamp": (int, float, str),
}


def check(response_dict: dict[str, Any], operation_model: OperationModel, **_: Any) -> None:
    """Raise AssertionError where an answer is not as the model says; a handler of botocore's event `before-parse`."""
    body = response_dict["body"]
    if not isinstance(body, bytes) or not body or "json" not in response_dict["headers"].get("Content-Type", ""):
        return
    found = json.loads(body)
    shape = operation_model.output_shape
    if response_dict["status_code"] >= FIRST_FAILURE or shape is None or "payload" in shape.serialization:
        assert not has_null(found), f"{operation_model.name}: {found}"
    else:
        faults = list(compare(shape, found, operation_model.name))
        assert not faults, faults


def has_null(value: Any) -> bool:
    """Whether there is a null anywhere in it."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(has_null(part) for part in parts)


def compare(shape: Shape, value: Any, where: str) -> list[str]:
    """What is wrong with a JSON value, as lines."""
    kind: Any = shape.type_name
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{where}: {value!r} is no {kind}"]
    model: Any = shape
    if kind == "list":
        return [fault for part in value for fault in compare(model.member, part, f"{where}[]")]
    if kind == "map":
        return [fault for key, part in value.items() for fault in compare(model.value, part, f"{where}.{key}")]
    if kind == "structure":
        named = {member.serialization.get("name", name): member for name, member in model.members.items()}
        unknown = [f"{where}: the model has no {name}" for name in value.keys() - named.keys()]
        known = value.keys() & named.keys()
        return unknown + [fault for name in known for fault in compare(named[name], value[name], f"{where}.{name}")]
    return []
