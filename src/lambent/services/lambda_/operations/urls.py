"""CreateFunctionUrlConfig, GetFunctionUrlConfig, UpdateFunctionUrlConfig, DeleteFunctionUrlConfig and
ListFunctionUrlConfigs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits, page
from lambent.services.lambda_ import markers
from lambent.services.lambda_.errors import tenancy
from lambent.services.lambda_.errors import urls as errors
from lambent.services.lambda_.records import LATEST
from lambent.services.lambda_.records.urls import FunctionUrl
from lambent.services.lambda_.rules import urls as rules
from lambent.services.lambda_.store import aliases, functions, urls

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction


async def create_function_url_config(call: Call[Parts], request: Request) -> Response:
    """Give a function, or one of its aliases, a URL that invokes it.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html
    """
    key, qualifier = rules.named(call, request)
    now = call.parts.now_us()
    url = FunctionUrl(
        account=key.account,
        region=key.region,
        function=key.name,
        qualifier=qualifier,
        name=rules.new_name(call.parts.ids),
        auth_type=request["AuthType"],
        invoke_mode=request.get("InvokeMode"),
        cors=rules.cors(request.get("Cors")),
        created_us=now,
        modified_us=now,
    )

    def work(tx: Transaction) -> None:
        _check(tx, key, qualifier)
        function = functions.find(tx, key)
        if function is not None and function.configuration.tenancy is not None:
            raise tenancy.with_url()
        if urls.find(tx, key, qualifier) is not None:
            raise errors.exists(key, url.alias)
        urls.insert(tx, url)

    await call.parts.directory.change(key, work)
    return rules.created(url, _address(call, url))


async def get_function_url_config(call: Call[Parts], request: Request) -> Response:
    """The URL of a function or of one of its aliases.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionUrlConfig.html
    """
    key, qualifier = rules.named(call, request)
    url = await call.parts.store.read(lambda tx: urls.find(tx, key, qualifier))
    if url is None:
        raise errors.no_url()
    return rules.shown(url, _address(call, url))


async def update_function_url_config(call: Call[Parts], request: Request) -> Response:
    """Change who may use a URL and how; the URL itself stays. What is not given stays, too, and Cors as a whole.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionUrlConfig.html
    """
    key, qualifier = rules.named(call, request)
    changes = _changes(request) | {"modified_us": call.parts.now_us()}

    def work(tx: Transaction) -> FunctionUrl:
        _check(tx, key, qualifier)
        old = urls.find(tx, key, qualifier)
        if old is None:
            raise errors.no_url()
        url = msgspec.structs.replace(old, **changes)
        urls.update(tx, url)
        return url

    url = await call.parts.directory.change(key, work)
    return rules.updated(url, _address(call, url))


async def delete_function_url_config(call: Call[Parts], request: Request) -> None:
    """Remove a URL for good: a new one has another host.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionUrlConfig.html
    """
    key, qualifier = rules.named(call, request)

    def work(tx: Transaction) -> None:
        if not urls.delete(tx, key, qualifier):
            raise errors.no_url()

    await call.parts.directory.change(key, work)


async def list_function_url_configs(call: Call[Parts], request: Request) -> Response:
    """A page of the URLs of a function and its aliases.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionUrlConfigs.html
    """
    key, _ = rules.named(call, request)
    size = min(request.get("MaxItems", limits.URLS_LISTED), limits.URLS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)

    def work(tx: Transaction) -> list[FunctionUrl]:
        if functions.find(tx, key) is None:
            raise errors.no_function()
        return urls.page(tx, key, after, size + 1)

    listed, marker = page.cut(await call.parts.store.read(work), size, lambda url: [url.qualifier])
    return {"FunctionUrlConfigs": [rules.shown(url, _address(call, url)) for url in listed], "NextMarker": marker}


def _check(tx: Transaction, key: FunctionKey, qualifier: str) -> None:
    """Raise AWS's error where there is no such function or alias."""
    if functions.find(tx, key) is None or (qualifier != LATEST and aliases.find(tx, key, qualifier) is None):
        raise errors.no_function()


def _changes(request: Request) -> dict[str, Any]:
    given = {"auth_type": "AuthType", "invoke_mode": "InvokeMode"}
    changes: dict[str, Any] = {field: request[member] for field, member in given.items() if member in request}
    return changes | ({"cors": rules.cors(request["Cors"])} if "Cors" in request else {})


def _address(call: Call[Parts], url: FunctionUrl) -> str:
    """Where the caller reaches the URL."""
    return call.parts.doors.url(call.endpoint, rules.KIND, url.name, url.region)
