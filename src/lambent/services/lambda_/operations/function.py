"""CreateFunction, GetFunction, ListFunctions and DeleteFunction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits, page
from lambent.services.lambda_ import errors, packages, roles, store
from lambent.services.lambda_.records import LATEST, Function
from lambent.services.lambda_.rules import answers, configuration, names, refusals

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def create_function(call: Call[Parts], request: Request) -> Response:
    """Store a new function once its package has been received and checked.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    """
    parts = call.parts
    key = names.parse_new(call, request["FunctionName"])
    if request.get("PackageType") == "Image" or "ImageUri" in request["Code"]:
        raise errors.not_built(call.operation, "PackageType Image")
    refusals.check(call.operation, request, refusals.CONFIGURATION)
    configuration.check_new(request)
    refusal = await parts.engine.refusal(request["Runtime"])
    if refusal is not None:
        raise errors.invalid(refusal)
    await roles.check(parts, call.account, request["Role"])
    if await parts.directory.find(key) is not None:
        raise errors.already_exists(key.name)
    package = await packages.receive(call, request["Code"])
    function = Function(
        account=key.account,
        region=key.region,
        name=key.name,
        configuration=configuration.new(request, key.name, parts.ids.uuid(), package.digest, package.size),
        revision_id=parts.ids.uuid(),
        modified_ms=parts.now_ms(),
        tags=request.get("Tags", {}),
    )

    def work(tx: Transaction) -> None:
        if not store.insert(tx, function):
            raise errors.already_exists(key.name)

    await parts.directory.change(key, work)
    return answers.configuration(function)


async def get_function(call: Call[Parts], request: Request) -> Response:
    """A function's configuration, and a link to its package that is good for a while.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
    """
    function, qualifier = await existing(call, request)
    digest = function.configuration.code_sha256
    return {
        "Configuration": answers.configuration(function, qualifier),
        "Code": {
            "RepositoryType": "S3",
            "Location": call.parts.links.code(call.endpoint, digest, limits.CODE_LINK_S),
        },
        "Tags": function.tags or None,
    }


async def list_functions(call: Call[Parts], request: Request) -> Response:
    """A page of the caller's functions, by name.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
    """
    if "MasterRegion" in request:
        return {"Functions": []}  # it asks for replicas at the edge only, and there is no edge
    size = min(request.get("MaxItems", limits.FUNCTIONS_LISTED), limits.FUNCTIONS_LISTED)
    after = _after(request.get("Marker"))
    functions = await call.parts.directory.page(call.account, call.region, after, size + 1)
    shown, marker = page.cut(functions, size, lambda function: [function.name])
    qualifier = LATEST if request.get("FunctionVersion") == "ALL" else None
    return {"Functions": [answers.listed(function, qualifier) for function in shown], "NextMarker": marker}


async def delete_function(call: Call[Parts], request: Request) -> Response:
    """Remove a function; what it is running comes to its end.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html
    """
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    if qualifier == LATEST:
        raise errors.latest_not_deletable()
    if qualifier is not None:
        return await _delete_version(call, key, qualifier)

    def work(tx: Transaction) -> None:
        if not store.delete(tx, key):
            raise errors.not_found(key)

    await call.parts.directory.change(key, work)
    call.parts.engine.retire(key.arn())
    return {"StatusCode": 204}


async def existing(call: Call[Parts], request: Request) -> tuple[Function, str | None]:
    """The function that FunctionName and Qualifier name, and the qualifier. Raises where there is none."""
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    function = await call.parts.directory.find(key) if qualifier in (None, LATEST) else None
    if function is None:
        raise errors.not_found(key, qualifier)
    return function, qualifier


async def _delete_version(call: Call[Parts], key: FunctionKey, qualifier: str) -> Response:
    """No function has a published version yet, and to delete a version that is not there succeeds on AWS."""
    if not qualifier.isdecimal() and not qualifier.startswith("$"):
        raise errors.invalid("Deletion of aliases is not currently supported.")
    if await call.parts.directory.find(key) is None or not qualifier.isdecimal():
        raise errors.not_found(key)
    return {"StatusCode": 204}


def _after(marker: str | None) -> str:
    if not marker:
        return ""
    try:
        match page.cursor(marker):
            case [str(name)]:
                return name
    except page.BadToken:
        pass
    raise errors.invalid("The Marker is not one that ListFunctions gave.")
