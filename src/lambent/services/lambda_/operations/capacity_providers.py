"""CreateCapacityProvider, GetCapacityProvider, UpdateCapacityProvider, DeleteCapacityProvider, ListCapacityProviders
and ListFunctionVersionsByCapacityProvider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits, page
from lambent.services.lambda_ import capacity_providers, markers, roles
from lambent.services.lambda_.errors import capacity_providers as refused
from lambent.services.lambda_.rules import capacity_providers as rules
from lambent.services.lambda_.rules import states
from lambent.services.lambda_.store import capacity_providers as store
from lambent.services.lambda_.store import versions

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function, Version
    from lambent.services.lambda_.records.capacity_providers import CapacityProvider
    from lambent.store.api import Transaction


async def create_capacity_provider(call: Call[Parts], request: Request) -> Response:
    """Store a new capacity provider, which functions can be put on once it is active.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateCapacityProvider.html
    """
    key = rules.parse(call, request["CapacityProviderName"])
    rules.check_new(request, key.name)
    await roles.check(call.parts, call.account, request["PermissionsConfig"]["CapacityProviderOperatorRoleArn"])
    provider = rules.new(request, key, call.parts.now_ms())

    def work(tx: Transaction) -> None:
        if store.find(tx, key) is not None:
            raise refused.already_exists(key)
        if store.count(tx, key.account, key.region) >= limits.CAPACITY_PROVIDERS:
            raise refused.too_many()
        store.insert(tx, provider)

    await call.parts.capacity_providers.change(key, work)
    return {"CapacityProvider": rules.answer(provider)}


async def get_capacity_provider(call: Call[Parts], request: Request) -> Response:
    """A capacity provider as it is now.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetCapacityProvider.html
    """
    key = rules.parse(call, request["CapacityProviderName"])
    found = await call.parts.store.read(lambda tx: capacity_providers.existing(tx, key))
    return {"CapacityProvider": rules.answer(found)}


async def update_capacity_provider(call: Call[Parts], request: Request) -> Response:
    """Change how a capacity provider scales, which tags its instances get and what it logs.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateCapacityProvider.html
    """
    key = rules.parse(call, request["CapacityProviderName"])
    rules.check_scaling(request)
    now = call.parts.now_ms()

    def work(tx: Transaction) -> CapacityProvider:
        found = capacity_providers.existing(tx, key)
        if found.state != "Active":
            raise refused.not_ready(key, found.state)
        updated = rules.changed(found, request, now)
        store.update(tx, updated)
        return updated

    updated = await call.parts.capacity_providers.change(key, work)
    for function in await call.parts.store.read(lambda tx: store.functions_on(tx, key)):
        await call.parts.capacity.tell(function)
    return {"CapacityProvider": rules.answer(updated)}


async def delete_capacity_provider(call: Call[Parts], request: Request) -> Response:
    """Remove a capacity provider that no function is on.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteCapacityProvider.html
    """
    key = rules.parse(call, request["CapacityProviderName"])

    def work(tx: Transaction) -> CapacityProvider:
        found = capacity_providers.existing(tx, key)
        if store.users(tx, key, ("", 0), 1):
            raise refused.in_use(key)
        leaving = msgspec.structs.replace(found, state="Deleting")
        store.update(tx, leaving)
        return leaving

    return {"CapacityProvider": rules.answer(await call.parts.capacity_providers.change(key, work))}


async def list_capacity_providers(call: Call[Parts], request: Request) -> Response:
    """A page of the caller's capacity providers, or of those in one state, by name.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListCapacityProviders.html
    """
    size = request.get("MaxItems", limits.FUNCTIONS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)
    place = call.account, call.region
    found = await call.parts.store.read(lambda tx: store.page(tx, *place, request.get("State"), after, size + 1))
    shown, marker = page.cut(found, size, lambda provider: [provider.name])
    return {"CapacityProviders": [rules.answer(provider) for provider in shown], "NextMarker": marker}


async def list_function_versions_by_capacity_provider(call: Call[Parts], request: Request) -> Response:
    """A page of the function versions on a capacity provider, `$LATEST` included, by name and number.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionVersionsByCapacityProvider.html
    """
    key = rules.parse(call, request["CapacityProviderName"])
    size = request.get("MaxItems", limits.FUNCTIONS_LISTED)
    after = markers.name_and_number(request.get("Marker"), call.operation)

    def work(tx: Transaction) -> list[Function | Version]:
        capacity_providers.existing(tx, key)
        return store.users(tx, key, after, size + 1)

    found = await call.parts.store.read(work)
    shown, marker = page.cut(found, size, lambda one: [one.name, versions.number(one)])
    return {
        "CapacityProviderArn": key.arn(),
        "FunctionVersions": [{"FunctionArn": one.key.arn(one.label), "State": states.shown(one)} for one in shown],
        "NextMarker": marker,
    }
