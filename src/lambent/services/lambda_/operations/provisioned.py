"""PutProvisionedConcurrencyConfig, GetProvisionedConcurrencyConfig, DeleteProvisionedConcurrencyConfig and
ListProvisionedConcurrencyConfigs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits, page
from lambent.services.lambda_ import changes, errors, markers, provisions
from lambent.services.lambda_.records import LATEST, Provision
from lambent.services.lambda_.rules import answers, names, provisioning
from lambent.services.lambda_.store import concurrency, functions

if TYPE_CHECKING:
    from lambent.compute.function import FunctionVersion
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.engine import Engine
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey
    from lambent.store.api import Transaction

Ready = tuple[Provision, list["FunctionVersion"]]


async def put_provisioned_concurrency_config(call: Call[Parts], request: Request) -> Response:
    """Keep environments of a version, or of what an alias points to, initialised.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutProvisionedConcurrencyConfig.html
    """
    key, qualifier = _named(call, request)
    if qualifier == LATEST:
        raise errors.provisions_unpublished()
    config = Provision(
        account=key.account,
        region=key.region,
        function=key.name,
        qualifier=qualifier,
        requested=request["ProvisionedConcurrentExecutions"],
        modified_ms=call.parts.now_ms(),
    )
    limit = call.parts.settings.concurrency

    def work(tx: Transaction) -> Ready:
        target = provisions.target(tx, key, qualifier)
        _check_room(tx, config, limit)
        provisions.check(tx, target)
        concurrency.put(tx, config)
        return _ready(tx, config)

    ready = await call.parts.directory.change(key, work)
    return _figures(call.parts.engine, ready) | {"Status": "IN_PROGRESS", "StatusReason": None}


async def get_provisioned_concurrency_config(call: Call[Parts], request: Request) -> Response:
    """How far the environments are that are wanted ready for a version or an alias.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetProvisionedConcurrencyConfig.html
    """
    key, qualifier = _published(call, request)

    def work(tx: Transaction) -> Ready:
        provisions.target(tx, key, qualifier)
        config = concurrency.provision(tx, key, qualifier)
        if config is None:
            raise errors.not_provisioned()
        return _ready(tx, config)

    return _figures(call.parts.engine, await call.parts.store.read(work))


async def delete_provisioned_concurrency_config(call: Call[Parts], request: Request) -> None:
    """Keep no environments ready for a version or an alias any more; where none are, that is no error.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteProvisionedConcurrencyConfig.html
    """
    key, qualifier = _published(call, request)

    def work(tx: Transaction) -> None:
        provisions.target(tx, key, qualifier)
        concurrency.withdraw(tx, key, qualifier)

    await call.parts.directory.change(key, work)


async def list_provisioned_concurrency_configs(call: Call[Parts], request: Request) -> Response:
    """A page of what is wanted ready for a function, by qualifier.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListProvisionedConcurrencyConfigs.html
    """
    key = changes.key_of(call, request["FunctionName"])
    size = request.get("MaxItems", limits.FUNCTIONS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)

    def work(tx: Transaction) -> tuple[list[Ready], str | None]:
        if functions.find(tx, key) is None:
            raise errors.not_found(key)
        found = [config for config in concurrency.provisions(tx, key) if config.qualifier > after]
        shown, marker = page.cut(found, size, lambda config: [config.qualifier])
        return [_ready(tx, config) for config in shown], marker

    shown, marker = await call.parts.store.read(work)
    return {
        "ProvisionedConcurrencyConfigs": [
            _figures(call.parts.engine, ready) | {"FunctionArn": key.arn(ready[0].qualifier)} for ready in shown
        ],
        "NextMarker": marker,
    }


def _named(call: Call[Parts], request: Request) -> tuple[FunctionKey, str]:
    key, qualifier = names.parse(call, request["FunctionName"], request["Qualifier"])
    return key, qualifier or LATEST


def _published(call: Call[Parts], request: Request) -> tuple[FunctionKey, str]:
    key, qualifier = _named(call, request)
    if qualifier == LATEST:
        raise errors.published_only()
    return key, qualifier


def _check_room(tx: Transaction, config: Provision, limit: int) -> None:
    key = config.key
    own = sum(other.requested for other in concurrency.provisions(tx, key) if other.qualifier != config.qualifier)
    claimed = concurrency.claimed(tx, key.account, key.region)
    others = sum(held for name, held in claimed.items() if name != key.name)
    provisioning.check_provisioned(config.requested, own, concurrency.reserved(tx, key), others, limit)


def _ready(tx: Transaction, config: Provision) -> Ready:
    return config, [version for version, _ in provisions.runnable(tx, config)]


def _figures(engine: Engine, ready: Ready) -> Response:
    """What is wanted and how far the engine is with it, over all versions that it is for."""
    config, versions = ready
    known = [figures for version in versions if (figures := engine.provisioned(version)) is not None]
    states = {figures.status for figures in known} | ({"IN_PROGRESS"} if len(known) < len(versions) else set())
    return {
        "RequestedProvisionedConcurrentExecutions": config.requested,
        "AvailableProvisionedConcurrentExecutions": sum(figures.available for figures in known),
        "AllocatedProvisionedConcurrentExecutions": sum(figures.allocated for figures in known),
        "Status": next(status for status in ("FAILED", "IN_PROGRESS", "READY") if status in states),
        "StatusReason": next((figures.reason for figures in known if figures.reason), None),
        "LastModified": answers.timestamp(config.modified_ms),
    }
