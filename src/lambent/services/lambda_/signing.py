"""Code signing where packages are deployed: a function that enforces it takes none whose signature is not trusted.

A signature is trusted when AWS Signer has made it under one of the profiles that the function's configuration allows,
and has not revoked it since. There is no AWS Signer here that could say so of any package, so each one is what AWS
calls untrusted: refused under the policy Enforce, and let through under Warn, which AWS does too.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lambent.services.lambda_.errors import signing as errors
from lambent.services.lambda_.records.signing import SigningKey
from lambent.services.lambda_.store import signing

if TYPE_CHECKING:
    from lambent.kernel.call import Call
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function, FunctionKey
    from lambent.services.lambda_.records.signing import SigningConfig
    from lambent.store.api import Transaction

log = logging.getLogger(__name__)


def parse(call: Call[Parts], arn: str) -> SigningKey | None:
    """The configuration that the ARN names; None where it is not of the caller's account and region."""
    *_, region, account, _, config = arn.split(":")
    return SigningKey(account, region, config) if (account, region) == (call.account, call.region) else None


def to_use(tx: Transaction, key: SigningKey | None, arn: str) -> SigningConfig:
    """The configuration that a function is to use. Raises AWS's error where there is none."""
    config = None if key is None else signing.find(tx, key)
    if config is None:
        raise errors.none_to_use(arn)
    return config


def begin(tx: Transaction, call: Call[Parts], function: Function, arn: str | None) -> None:
    """Let a new function use the configuration `arn`, if any. Raises AWS's errors where there is none, and where it
    does not take the function's package."""
    if not arn:
        return
    config = to_use(tx, parse(call, arn), arn)
    _check_kind(function)
    _check(config, function.name)
    signing.attach(tx, function.key, config)


def attach(tx: Transaction, function: Function, config: SigningConfig) -> None:
    """Let a function that is there use a configuration from its next package on. Raises AWS's error for images."""
    _check_kind(function)
    signing.attach(tx, function.key, config)


async def check(parts: Parts, key: FunctionKey) -> None:
    """Raise AWS's error where the function takes no package or layer that nobody trusted has signed."""
    config = await parts.store.read(lambda tx: signing.of(tx, key))
    if config is not None:
        _check(config, key.name)


def check_still(tx: Transaction, key: FunctionKey) -> None:
    """The same for what `check` let through, when it comes to be deployed: a package may have been long in coming."""
    config = signing.of(tx, key)
    if config is not None and config.untrusted == "Enforce":
        raise errors.untrusted(key.name)


def _check_kind(function: Function) -> None:
    if function.configuration.package_type == "Image":
        raise errors.images_are_not_signed()


def _check(config: SigningConfig, function: str) -> None:
    if config.untrusted == "Enforce":
        raise errors.untrusted(function)
    log.warning("what is deployed to %s is not signed as %s asks", function, config.key.arn())
