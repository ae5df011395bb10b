"""PutFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig, GetFunctionEventInvokeConfig,
DeleteFunctionEventInvokeConfig and ListFunctionEventInvokeConfigs. What they configure is the asynchronous queue's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lambent.kernel import limits, page
from lambent.kernel.arn import Arn
from lambent.services.lambda_ import changes, markers, qualified
from lambent.services.lambda_.errors import event_invoke as errors
from lambent.services.lambda_.records import LATEST, FunctionKey
from lambent.services.lambda_.records.event_invoke import EventInvokeConfig
from lambent.services.lambda_.rules import destinations, names
from lambent.services.lambda_.store import event_invoke, functions

if TYPE_CHECKING:
    from typing import Any

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.store.api import Transaction

_MEMBERS = ("DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts")


async def put_function_event_invoke_config(call: Call[Parts], request: Request) -> Response:
    """Configure asynchronous invocation of a function, a version or an alias anew.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
    """
    key, qualifier = _named(call, request)
    changes_asked = _asked(request)
    config = EventInvokeConfig(
        account=key.account,
        region=key.region,
        function=key.name,
        qualifier=qualifier,
        modified_ms=call.parts.now_ms(),
        **changes_asked,
    )

    def work(tx: Transaction) -> None:
        _check(tx, config)
        event_invoke.put(tx, config)

    await call.parts.directory.change(key, work)
    return _answer(config)


async def update_function_event_invoke_config(call: Call[Parts], request: Request) -> Response:
    """Change parts of what is configured.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionEventInvokeConfig.html
    """
    key, qualifier = _named(call, request)
    asked = _asked(request)
    now = call.parts.now_ms()

    def work(tx: Transaction) -> EventInvokeConfig:
        if not qualified.exists(tx, key, qualifier):
            raise errors.no_function()
        config = msgspec.structs.replace(_existing(tx, key, qualifier), modified_ms=now, **asked)
        _check(tx, config)
        event_invoke.put(tx, config)
        return config

    return _answer(await call.parts.directory.change(key, work))


async def get_function_event_invoke_config(call: Call[Parts], request: Request) -> Response:
    """What is configured for a function, a version or an alias.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionEventInvokeConfig.html
    """
    key, qualifier = _named(call, request)
    return _answer(await call.parts.store.read(lambda tx: _existing(tx, key, qualifier)))


async def delete_function_event_invoke_config(call: Call[Parts], request: Request) -> None:
    """Forget what is configured.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionEventInvokeConfig.html
    """
    key, qualifier = _named(call, request)

    def work(tx: Transaction) -> None:
        if not event_invoke.delete(tx, key, qualifier):
            raise errors.not_configured(key, qualifier)

    await call.parts.directory.change(key, work)


async def list_function_event_invoke_configs(call: Call[Parts], request: Request) -> Response:
    """A page of what is configured for a function and its versions and aliases, by qualifier.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html
    """
    key = changes.key_of(call, request["FunctionName"])
    size = request.get("MaxItems", limits.FUNCTIONS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)

    def work(tx: Transaction) -> list[EventInvokeConfig]:
        if functions.find(tx, key) is None:
            raise errors.no_function()
        return event_invoke.page(tx, key, after, size + 1)

    shown, marker = page.cut(await call.parts.store.read(work), size, lambda config: [config.qualifier])
    return {"FunctionEventInvokeConfigs": [_answer(config) for config in shown], "NextMarker": marker}


def _named(call: Call[Parts], request: Request) -> tuple[FunctionKey, str]:
    key, qualifier = names.parse(call, request["FunctionName"], request.get("Qualifier"))
    return key, qualifier or LATEST


def _asked(request: Request) -> dict[str, Any]:
    """What the request sets, by the record's names. Raises AWS's errors where it sets nothing or what cannot be."""
    if not any(member in request for member in _MEMBERS):
        raise errors.nothing_given()
    given = {"retries": "MaximumRetryAttempts", "age_s": "MaximumEventAgeInSeconds"}
    asked = {field: request[member] for field, member in given.items() if member in request}
    if "DestinationConfig" in request:
        success = destinations.on_success(request["DestinationConfig"]).get("Destination")
        failure = destinations.on_failure(request["DestinationConfig"]).get("Destination")
        destinations.check_invoked(success, failure)
        asked |= {"on_success": success, "on_failure": failure}
    return asked


def _existing(tx: Transaction, key: FunctionKey, qualifier: str) -> EventInvokeConfig:
    config = event_invoke.find(tx, key, qualifier)
    if config is None:
        raise errors.not_configured(key, qualifier)
    return config


def _check(tx: Transaction, config: EventInvokeConfig) -> None:
    if not qualified.exists(tx, config.key, config.qualifier):
        raise errors.no_function()
    for destination in (config.on_success, config.on_failure):
        if destination is not None:
            _check_destination(tx, config.key, destination)


def _check_destination(tx: Transaction, own: FunctionKey, destination: str) -> None:
    """Functions of the same account are looked up, and whether others exist is not told; of what is no function that
    shows when records are sent there."""
    arn = Arn.parse(destination)
    if arn.service != "lambda":
        return
    _, name, *rest = arn.resource.split(":")
    key = FunctionKey(arn.account, arn.region, name)
    if key.account != own.account or not qualified.exists(tx, key, rest[0] if rest else None):
        raise errors.bad_destination(destination)
    if key == own:
        raise errors.own_destination()


def _answer(config: EventInvokeConfig) -> Response:
    """The FunctionEventInvokeConfig."""
    return {
        "DestinationConfig": {
            "OnFailure": {"Destination": config.on_failure},
            "OnSuccess": {"Destination": config.on_success},
        },
        "FunctionArn": config.key.arn(config.qualifier),
        "LastModified": datetime.fromtimestamp(config.modified_ms / 1000, UTC),
        "MaximumEventAgeInSeconds": config.age_s,
        "MaximumRetryAttempts": config.retries,
    }
