"""Layers as functions use them: from the ARNs that a request names to what is stored with the function.

https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.access import permits
from lambent.services.lambda_.records.configuration import UsedLayer
from lambent.services.lambda_.rules import names
from lambent.services.lambda_.store import layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import LayerKey


async def used(call: Call[Parts], arns: Sequence[str]) -> tuple[UsedLayer, ...]:
    """The layer versions that `arns` name, in their order.

    Raises AWS's errors for too many, for one that is not there or that the caller may not use, and for two versions
    of one layer.
    """
    if len(arns) > limits.FUNCTION_LAYERS:
        raise errors.too_many_layers()
    seen: dict[LayerKey, str] = {}
    found = []
    for arn in arns:
        key, layer = await _one(call, arn)
        if key in seen:
            raise errors.same_layer(seen[key], arn)
        seen[key] = arn
        found.append(layer)
    return tuple(found)


async def _one(call: Call[Parts], arn: str) -> tuple[LayerKey, UsedLayer]:
    named = names.parse_layer_arn(arn)
    if named is None:
        raise errors.unknown_layer(arn)
    key, number = named
    if not await permits.may_use_layer(call.parts, key, number, call.principal):
        raise errors.layer_of_other_account(call.principal.arn, "GetLayerVersion", arn)
    if key.region != call.region:
        raise errors.layer_of_other_region(call.region)
    version = await call.parts.store.read(lambda tx: layers.find(tx, key, number))
    if version is None:
        raise errors.unknown_layer(arn)
    return key, UsedLayer(version.arn, version.sha256, version.size)
