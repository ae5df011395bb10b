"""PutFunctionScalingConfig and GetFunctionScalingConfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import errors
from lambent.services.lambda_.errors import capacity_providers as refused
from lambent.services.lambda_.records.capacity_providers import FunctionScaling
from lambent.services.lambda_.rules import names, states
from lambent.services.lambda_.store import functions, scaling, versions

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey, Version
    from lambent.store.api import Transaction


async def put_function_scaling_config(call: Call[Parts], request: Request) -> Response:
    """Say how many environments a version on managed instances is to have; without a configuration, the usual number.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionScalingConfig.html
    """
    key, number = _named(call, request)
    wanted = _wanted(key, number, request.get("FunctionScalingConfig"))

    def work(tx: Transaction) -> Version:
        version = _version(tx, key, request["Qualifier"])
        if wanted is None:
            scaling.withdraw(tx, key, number)
        else:
            scaling.put(tx, wanted)
        return version

    version = await call.parts.directory.change(key, work)
    return {"FunctionState": states.shown(version) if wanted is None or wanted.most else "Deactivated"}


async def get_function_scaling_config(call: Call[Parts], request: Request) -> Response:
    """How many environments a version on managed instances is to have, where that was said.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionScalingConfig.html
    """
    key, number = _named(call, request)

    def work(tx: Transaction) -> FunctionScaling | None:
        _version(tx, key, request["Qualifier"])
        return scaling.find(tx, key, number)

    shown = _shown(await call.parts.store.read(work))
    return {
        "FunctionArn": key.arn(request["Qualifier"]),
        "AppliedFunctionScalingConfig": shown,
        "RequestedFunctionScalingConfig": shown,
    }


def _named(call: Call[Parts], request: Request) -> tuple[FunctionKey, int]:
    key, _ = names.parse(call, request["FunctionName"])
    return key, names.number(request["Qualifier"])


def _version(tx: Transaction, key: FunctionKey, qualifier: str) -> Version:
    function = functions.find(tx, key)
    if function is None:
        raise errors.not_found(key)
    if function.configuration.instances is None:
        raise refused.without_provider()
    version = versions.find(tx, key, names.number(qualifier))
    if version is None:
        raise errors.not_found(key, qualifier)
    return version


def _wanted(key: FunctionKey, number: int, config: dict[str, int] | None) -> FunctionScaling | None:
    if config is None:
        return None
    least = config.get("MinExecutionEnvironments", limits.MANAGED_ENVIRONMENTS_LEAST)
    most = config.get("MaxExecutionEnvironments", max(least, limits.MANAGED_ENVIRONMENTS_MOST))
    if least > most:
        raise refused.least_above_most(least, most)
    return FunctionScaling(
        account=key.account, region=key.region, function=key.name, number=number, least=least, most=most
    )


def _shown(held: FunctionScaling | None) -> Response | None:
    if held is None:
        return None
    return {"MinExecutionEnvironments": held.least, "MaxExecutionEnvironments": held.most}
