"""What a layer version may say that it is compatible with.

AWS tells of runtimes before architectures, and names the runtimes that it still takes functions for, though it knows
the retired ones as well: neither is in its model.
https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.rules import runtimes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambent.kernel.call import Request

_ARCHITECTURES = ("x86_64", "arm64")


def check_new(request: Request) -> None:
    """Raise AWS's error for the runtimes and architectures of a PublishLayerVersion request."""
    names, architectures = request.get("CompatibleRuntimes", ()), request.get("CompatibleArchitectures", ())
    known = f"Member must satisfy enum value set: [{', '.join(runtimes.LIVE)}]"
    either = f"Member must satisfy constraint: [Member must satisfy enum value set: [{', '.join(_ARCHITECTURES)}]]"
    violations = [
        *_too_long("compatibleRuntimes", names, limits.LAYER_RUNTIMES),
        *_unknown("compatibleRuntimes", names, runtimes.KNOWN, known),
        *_too_long("compatibleArchitectures", architectures, limits.LAYER_ARCHITECTURES),
        *_unknown("compatibleArchitectures", architectures, _ARCHITECTURES, either),
    ]
    if violations:
        raise errors.violated(violations)


def _too_long(member: str, values: Sequence[str], most: int) -> list[tuple[str, str, str]]:
    text = f"Member must have length less than or equal to {most}"
    return [(member, _shown(values), text)] if len(values) > most else []


def _unknown(
    member: str, values: Sequence[str], known: Sequence[str] | frozenset[str], constraint: str
) -> list[tuple[str, str, str]]:
    return [] if all(value in known for value in values) else [(member, _shown(values), constraint)]


def _shown(values: Sequence[str | None]) -> str:
    return f"[{', '.join('null' if value is None else value for value in values)}]"
