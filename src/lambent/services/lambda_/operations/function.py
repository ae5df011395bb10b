"""CreateFunction, GetFunction, ListFunctions and DeleteFunction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits, page
from lambent.services.lambda_ import (
    capacity_providers,
    errors,
    layering,
    markers,
    packages,
    publishing,
    roles,
    room,
    signing,
)
from lambent.services.lambda_.records import LATEST, Function, Version
from lambent.services.lambda_.rules import answers, checks, configuration, names
from lambent.services.lambda_.store import (
    aliases,
    concurrency,
    durable_remains,
    event_invoke,
    events,
    functions,
    permissions,
    scaling,
    urls,
    versions,
)
from lambent.services.lambda_.store import signing as signing_store

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.services.lambda_.records.configuration import Configuration
    from lambent.store.api import Transaction


async def create_function(call: Call[Parts], request: Request) -> Response:
    """Store a new function once its package has been received and checked.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    """
    parts = call.parts
    key = names.parse_new(call, request["FunctionName"])
    checks.check_new(request)
    wanted = configuration.new(request, key.name, await layering.used(call, request.get("Layers", ())))
    checks.check_whole(wanted)
    await packages.check_runtime(parts, wanted.runtime)
    await roles.check(parts, call.account, wanted.role)
    if await parts.directory.find(key) is not None:
        raise errors.already_exists(key.name)
    package = await packages.receive_code(call, request["Code"], wanted.package_type)
    wanted = configuration.repackaged(wanted, package, parts.ids.uuid())
    packages.check_weight(parts, await packages.weigh(parts, wanted), wanted)
    function = Function(
        account=key.account,
        region=key.region,
        name=key.name,
        configuration=wanted,
        revision_id=parts.ids.uuid(),
        modified_ms=parts.now_ms(),
        tags=request.get("Tags", {}),
    )
    publication = publishing.wanted(parts, request)

    def work(tx: Transaction) -> Function | Version:
        capacity_providers.check_joining(tx, function.configuration)
        if not functions.insert(tx, function):
            raise errors.already_exists(key.name)
        signing.begin(tx, call, function, request.get("CodeSigningConfigArn"))
        accepted = function if publication is None else publishing.publish(tx, function, publication, parts.blobs)
        room.check(tx, call)
        return accepted

    return answers.configuration(await parts.directory.change(key, work))


async def get_function(call: Call[Parts], request: Request) -> Response:
    """A function's configuration, and where its code is: a link that is good for a while, or the image.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
    """
    found = await existing(call, request)
    return {
        "Configuration": answers.configuration(found.held, found.qualifier),
        "Code": _code(call, found.held.configuration),
        "Concurrency": None if found.reserved is None else {"ReservedConcurrentExecutions": found.reserved},
        "Tags": found.tags or None,
    }


async def list_functions(call: Call[Parts], request: Request) -> Response:
    """A page of the caller's functions, by name.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
    """
    if "MasterRegion" in request:
        return {"Functions": []}  # it asks for replicas at the edge only, and there is no edge
    size = min(request.get("MaxItems", limits.FUNCTIONS_LISTED), limits.FUNCTIONS_LISTED)
    if request.get("FunctionVersion") == "ALL":
        return await _list_versions(call, request, size)
    after = markers.name(request.get("Marker"), call.operation)
    found = await call.parts.store.read(lambda tx: functions.page(tx, call.account, call.region, after, size + 1))
    shown, marker = page.cut(found, size, lambda function: [function.name])
    return {"Functions": [answers.listed(function) for function in shown], "NextMarker": marker}


async def _list_versions(call: Call[Parts], request: Request, size: int) -> Response:
    """The page with all versions of each function, `$LATEST` first, where that is asked for."""
    after = markers.name_and_number(request.get("Marker"), call.operation)
    place = call.account, call.region
    found = await call.parts.store.read(lambda tx: versions.page_of_all(tx, *place, after, size + 1))
    shown, marker = page.cut(found, size, lambda one: [one.name, versions.number(one)])
    return {"Functions": [answers.listed(one, one.label) for one in shown], "NextMarker": marker}


async def delete_function(call: Call[Parts], request: Request) -> Response:
    """Remove a function with all that belongs to it, or one version; what it is running comes to its end.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    if qualifier == LATEST:
        raise errors.latest_not_deletable()
    if qualifier is not None:
        return await _delete_version(call, key, qualifier)

    blobs = call.parts.blobs

    def work(tx: Transaction) -> None:
        if not functions.delete(tx, key):
            raise errors.not_found(key)
        for version in versions.of(tx, key):
            publishing.let_go(blobs, version)
        versions.delete_all(tx, key)
        aliases.delete_all(tx, key)
        concurrency.delete_all(tx, key)
        scaling.delete_all(tx, key)
        urls.delete_all(tx, key)
        permissions.delete_all(tx, key)
        event_invoke.delete_all(tx, key)
        signing_store.detach(tx, key)
        durable_remains.abandon(tx, key)
        events.forget(tx, key)

    await call.parts.directory.change(key, work)
    call.parts.executions.tell_all()
    call.parts.engine.retire(key.arn())
    return {"StatusCode": 204}


def _code(call: Call[Parts], held: Configuration) -> Response:
    if held.image is not None:
        return answers.image(held.image)
    link = call.parts.links.code(call.endpoint, held.code_sha256, limits.CODE_LINK_S)
    return answers.package(held, link)


class Found(msgspec.Struct, frozen=True):
    """What a FunctionName and a Qualifier name."""

    held: Function | Version
    qualifier: str | None
    """As the caller gave it."""
    reserved: int | None
    tags: dict[str, str]


async def existing(call: Call[Parts], request: Request) -> Found:
    """The function or version that FunctionName and Qualifier name. Raises where there is none."""
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))

    def work(tx: Transaction) -> Found:
        function = functions.find(tx, key)
        held = function if qualifier in (None, LATEST) else _version(tx, key, qualifier)
        if function is None or held is None:
            raise errors.not_found(key, qualifier)
        return Found(held, qualifier, concurrency.reserved(tx, key), function.tags)

    return await call.parts.store.read(work)


def _version(tx: Transaction, key: FunctionKey, qualifier: str) -> Function | Version | None:
    """What the number or the name of an alias stands for; an alias stands for the version that it mainly points to."""
    if names.is_version(qualifier):
        return versions.find(tx, key, names.number(qualifier))
    alias = aliases.find(tx, key, qualifier)
    if alias is None:
        return None
    return functions.find(tx, key) if alias.version == LATEST else versions.find(tx, key, names.number(alias.version))


async def _delete_version(call: Call[Parts], key: FunctionKey, qualifier: str) -> Response:
    """To delete a version that is not there succeeds on AWS."""
    if not names.is_version(qualifier) and not qualifier.startswith("$"):
        raise errors.invalid("Deletion of aliases is not currently supported.")
    blobs = call.parts.blobs

    def work(tx: Transaction) -> None:
        if functions.find(tx, key) is None or not names.is_version(qualifier):
            raise errors.not_found(key)
        version = versions.find(tx, key, names.number(qualifier))
        if version is None:
            return
        users = [alias.name for alias in aliases.of(tx, key) if version.label in alias.targets]
        if users:
            raise errors.version_in_use(users)
        publishing.let_go(blobs, version)
        concurrency.withdraw(tx, key, version.label)
        permissions.delete(tx, key, version.label)
        event_invoke.delete(tx, key, version.label)
        events.close_line(tx, key, version.label)
        scaling.withdraw(tx, key, version.number)
        versions.delete(tx, key, version.number)

    await call.parts.directory.change(key, work)
    call.parts.engine.retire(key.arn(), qualifier)
    return {"StatusCode": 204}
