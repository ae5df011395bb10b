"""PublishLayerVersion, GetLayerVersion, GetLayerVersionByArn, DeleteLayerVersion, ListLayerVersions and ListLayers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits, page
from lambent.services.lambda_ import errors, markers, packages, room
from lambent.services.lambda_.access import permits
from lambent.services.lambda_.records import LayerVersion
from lambent.services.lambda_.rules import answers, names
from lambent.services.lambda_.rules import layers as rules
from lambent.services.lambda_.store import layer_permissions, layers

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import LayerKey
    from lambent.store.api import Transaction

_NEWEST = (1 << 63) - 1


async def publish_layer_version(call: Call[Parts], request: Request) -> Response:
    """Store a zip as the next version of a layer; the first one makes the layer.

    https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
    """
    rules.check_new(request)
    key = _here(call, request["LayerName"])
    package = await packages.receive(call, request["Content"])
    unnumbered = LayerVersion(
        account=key.account,
        region=key.region,
        name=key.name,
        number=0,
        sha256=package.digest,
        size=package.size,
        created_ms=call.parts.now_ms(),
        description=request.get("Description", ""),
        license=request.get("LicenseInfo"),
        runtimes=_several(request, "CompatibleRuntimes"),
        architectures=_several(request, "CompatibleArchitectures"),
    )

    def work(tx: Transaction) -> LayerVersion:
        version = msgspec.structs.replace(unnumbered, number=layers.next_number(tx, key))
        layers.insert(tx, version)
        room.check(tx, call)
        return version

    return _answer(call, await call.parts.store.write(work))


async def get_layer_version(call: Call[Parts], request: Request) -> Response:
    """One version of a layer, with a link to its zip that is good for a while.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersion.html
    """
    number = _number(request)
    return await _found(call, names.parse_layer(call, request["LayerName"]), number)


async def get_layer_version_by_arn(call: Call[Parts], request: Request) -> Response:
    """The same by the ARN of the version.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionByArn.html
    """
    named = names.parse_layer_arn(request["Arn"])
    if named is None:
        raise errors.no_layer_version()
    return await _found(call, *named)


async def delete_layer_version(call: Call[Parts], request: Request) -> None:
    """Remove a layer version; functions that use it keep it. One that is not there is no error.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteLayerVersion.html
    """
    number = _number(request)
    key = _own(call, request["LayerName"])
    if key.region != call.region:
        return  # it is not there
    blobs = call.parts.blobs

    def work(tx: Transaction) -> None:
        version = layers.find(tx, key, number)
        if version is not None:
            layers.delete(tx, key, number)
            layer_permissions.delete(tx, key, number)
            blobs.touch(version.sha256)  # a function that names it may be under way

    await call.parts.store.write(work)


async def list_layer_versions(call: Call[Parts], request: Request) -> Response:
    """A page of a layer's versions, the newest first; a layer that is not there has none.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListLayerVersions.html
    """
    key = _here(call, request["LayerName"])
    size = request.get("MaxItems", limits.FUNCTIONS_LISTED)
    below = markers.number(request.get("Marker"), call.operation) or _NEWEST
    found = await call.parts.store.read(lambda tx: _matching(tx, key, request, below, size + 1))
    shown, marker = page.cut(found, size, lambda version: [version.number])
    return {"LayerVersions": [answers.listed_layer_version(version) for version in shown], "NextMarker": marker}


async def list_layers(call: Call[Parts], request: Request) -> Response:
    """A page of the caller's layers by name, each with its newest version that fits.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html
    """
    size = request.get("MaxItems", limits.FUNCTIONS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)
    found = await call.parts.store.read(lambda tx: _newest(tx, call, request, after, size + 1))
    shown, marker = page.cut(found, size, lambda version: [version.name])
    return {"Layers": [_layer(version) for version in shown], "NextMarker": marker}


def _matching(tx: Transaction, key: LayerKey, request: Request, below: int, count: int) -> list[LayerVersion]:
    """Up to `count` versions with lower numbers than `below` that fit what `request` asks for, the newest first."""
    found: list[LayerVersion] = []
    while batch := layers.below(tx, key, below, limits.LAYERS_READ):
        found += [version for version in batch if _fits(version, request)]
        if len(found) >= count or len(batch) < limits.LAYERS_READ:
            break
        below = batch[-1].number
    return found[:count]


def _newest(tx: Transaction, call: Call[Parts], request: Request, after: str, count: int) -> list[LayerVersion]:
    """The newest fitting version of each of up to `count` layers whose names follow `after`."""
    found: list[LayerVersion] = []
    while batch := layers.names(tx, call.account, call.region, after, limits.LAYERS_READ):
        for name in batch:
            found += _matching(tx, names.parse_layer(call, name), request, _NEWEST, 1)
        if len(found) >= count:
            break
        after = batch[-1]
    return found[:count]


def _fits(version: LayerVersion, request: Request) -> bool:
    runtime, architecture = request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")
    return (runtime is None or runtime in (version.runtimes or ())) and (
        architecture is None or architecture in (version.architectures or ())
    )


def _layer(newest: LayerVersion) -> Response:
    return {
        "LayerName": newest.name,
        "LayerArn": newest.key.arn(),
        "LatestMatchingVersion": answers.listed_layer_version(newest),
    }


def _own(call: Call[Parts], name: str) -> LayerKey:
    key = names.parse_layer(call, name)
    if key.account != call.account:
        raise errors.layer_of_other_account(call.principal.arn, call.operation, key.arn())
    return key


def _here(call: Call[Parts], name: str) -> LayerKey:
    """What another region has is not there."""
    key = _own(call, name)
    if key.region != call.region:
        raise errors.no_layer_version()
    return key


def _number(request: Request) -> int:
    number: int = request["VersionNumber"]
    if number < 1:
        raise errors.layer_number_too_low()
    return number


async def _found(call: Call[Parts], key: LayerKey, number: int) -> Response:
    if not await permits.may_use_layer(call.parts, key, number, call.principal):
        raise errors.layer_of_other_account(call.principal.arn, "GetLayerVersion", key.arn(number))
    here = key.region == call.region
    version = await call.parts.store.read(lambda tx: layers.find(tx, key, number)) if here else None
    if version is None:
        raise errors.no_layer_version()
    return _answer(call, version)


def _answer(call: Call[Parts], version: LayerVersion) -> Response:
    location = call.parts.links.code(call.endpoint, version.sha256, limits.CODE_LINK_S)
    return answers.layer_version(version, location)


def _several(request: Request, member: str) -> tuple[str, ...] | None:
    return tuple(request[member]) if member in request else None
