"""Code signing: its configurations, and which functions use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits, page
from lambent.services.lambda_ import changes, markers, signing
from lambent.services.lambda_ import errors as common
from lambent.services.lambda_.errors import signing as errors
from lambent.services.lambda_.records.signing import SigningConfig
from lambent.services.lambda_.rules import answers, tags
from lambent.services.lambda_.store import functions
from lambent.services.lambda_.store import signing as store

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function, FunctionKey
    from lambent.store.api import Transaction

_ID_BYTES = 9
_ID_LENGTH = 17


async def create_code_signing_config(call: Call[Parts], request: Request) -> Response:
    """Say who may sign packages, and what is done with those that nobody of them has signed.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateCodeSigningConfig.html
    """
    tags.check(request.get("Tags", {}))
    config = SigningConfig(
        account=call.account,
        region=call.region,
        id=f"csc-{call.parts.ids.bytes(_ID_BYTES).hex()[:_ID_LENGTH]}",
        modified_ms=call.parts.now_ms(),
        tags=request.get("Tags", {}),
        **_given(request),
    )
    await call.parts.store.write(lambda tx: store.put(tx, config))
    return {"CodeSigningConfig": _answer(config)}


async def get_code_signing_config(call: Call[Parts], request: Request) -> Response:
    """One configuration.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetCodeSigningConfig.html
    """
    return {"CodeSigningConfig": _answer(await call.parts.store.read(lambda tx: _existing(tx, call, request)))}


async def update_code_signing_config(call: Call[Parts], request: Request) -> Response:
    """Change what is given and leave the rest. It holds for packages that are deployed from now on.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateCodeSigningConfig.html
    """
    now = call.parts.now_ms()

    def work(tx: Transaction) -> SigningConfig:
        held = _existing(tx, call, request)
        config = msgspec.structs.replace(held, modified_ms=now, **_given(request))
        store.put(tx, config)
        return config

    return {"CodeSigningConfig": _answer(await call.parts.store.write(work))}


async def delete_code_signing_config(call: Call[Parts], request: Request) -> None:
    """Remove a configuration that no function uses.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteCodeSigningConfig.html
    """

    def work(tx: Transaction) -> None:
        held = _existing(tx, call, request)
        if store.users(tx, held.key, "", 1):
            raise errors.in_use(held.key.arn())
        store.delete(tx, held.key)

    await call.parts.store.write(work)


async def list_code_signing_configs(call: Call[Parts], request: Request) -> Response:
    """A page of the caller's configurations, by id.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListCodeSigningConfigs.html
    """
    size = min(request.get("MaxItems", limits.FUNCTIONS_LISTED), limits.FUNCTIONS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)
    found = await call.parts.store.read(lambda tx: store.page(tx, call.account, call.region, after, size + 1))
    shown, marker = page.cut(found, size, lambda config: [config.id])
    return {"CodeSigningConfigs": [_answer(config) for config in shown], "NextMarker": marker}


async def list_functions_by_code_signing_config(call: Call[Parts], request: Request) -> Response:
    """A page of the functions that use a configuration, by name.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionsByCodeSigningConfig.html
    """
    size = min(request.get("MaxItems", limits.FUNCTIONS_LISTED), limits.FUNCTIONS_LISTED)
    after = markers.name(request.get("Marker"), call.operation)

    def work(tx: Transaction) -> list[FunctionKey]:
        return store.users(tx, _existing(tx, call, request).key, after, size + 1)

    shown, marker = page.cut(await call.parts.store.read(work), size, lambda key: [key.name])
    return {"FunctionArns": [key.arn() for key in shown], "NextMarker": marker}


async def put_function_code_signing_config(call: Call[Parts], request: Request) -> Response:
    """Let a function use a configuration, in place of another; the package that it has stays as it is.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionCodeSigningConfig.html
    """
    key = changes.key_of(call, request["FunctionName"])
    arn = request["CodeSigningConfigArn"]

    def work(tx: Transaction) -> None:
        config = signing.to_use(tx, signing.parse(call, arn), arn)
        signing.attach(tx, _function(tx, key), config)

    await call.parts.directory.change(key, work)
    return {"CodeSigningConfigArn": arn, "FunctionName": key.name}


async def get_function_code_signing_config(call: Call[Parts], request: Request) -> Response:
    """The configuration that a function uses; empty where it uses none.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html
    """
    key = changes.key_of(call, request["FunctionName"])

    def work(tx: Transaction) -> SigningConfig | None:
        if _function(tx, key).configuration.package_type == "Image":
            raise errors.images_are_not_signed()
        return store.of(tx, key)

    config = await call.parts.store.read(work)
    return {} if config is None else {"CodeSigningConfigArn": config.key.arn(), "FunctionName": key.name}


async def delete_function_code_signing_config(call: Call[Parts], request: Request) -> None:
    """Let a function take any package again; one that does so already is no error.

    https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionCodeSigningConfig.html
    """
    key = changes.key_of(call, request["FunctionName"])

    def work(tx: Transaction) -> None:
        _function(tx, key)
        store.detach(tx, key)

    await call.parts.directory.change(key, work)


def _given(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if "Description" in request:
        given["description"] = request["Description"]
    if "AllowedPublishers" in request:
        given["profiles"] = tuple(request["AllowedPublishers"]["SigningProfileVersionArns"])
    untrusted = request.get("CodeSigningPolicies", {}).get("UntrustedArtifactOnDeployment")
    return given | ({"untrusted": untrusted} if untrusted else {})


def _existing(tx: Transaction, call: Call[Parts], request: Request) -> SigningConfig:
    arn = request["CodeSigningConfigArn"]
    key = signing.parse(call, arn)
    config = None if key is None else store.find(tx, key)
    if config is None:
        raise errors.none_here(arn)
    return config


def _function(tx: Transaction, key: FunctionKey) -> Function:
    function = functions.find(tx, key)
    if function is None:
        raise common.not_found(key)
    return function


def _answer(config: SigningConfig) -> Response:
    return {
        "AllowedPublishers": {"SigningProfileVersionArns": list(config.profiles)},
        "CodeSigningConfigArn": config.key.arn(),
        "CodeSigningConfigId": config.id,
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": config.untrusted},
        "Description": config.description,
        "LastModified": answers.timestamp(config.modified_ms),
    }
