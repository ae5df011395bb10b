"""Provisioned concurrency as sums: what each version gets of it, and what may be asked for.

https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.lambda_ import errors

if TYPE_CHECKING:
    from lambent.services.lambda_.records import Alias, Provision


def shares(config: Provision, alias: Alias | None) -> dict[str, int]:
    """How many environments each version gets of `config`, by number: those of an alias that splits invocations are
    split alike. `alias` is what the config is for; None where that is a version."""
    if alias is None:
        return {config.qualifier: config.requested}
    split = {number: round(config.requested * weight) for number, weight in alias.weights.items()}
    split[alias.version] = config.requested - sum(split.values())
    return {number: count for number, count in split.items() if count}


def check_reserved(executions: int, others: int, provisioned: int, limit: int) -> None:
    """Raise AWS's errors unless a function may reserve `executions` of the account's `limit`, of which other
    functions hold `others`, with `provisioned` wanted ready of its own."""
    if executions and limit - others - executions < limits.UNRESERVED_MINIMUM:
        raise errors.reserves_too_much()
    if provisioned > executions:
        raise errors.reserved_below_provisioned(executions, provisioned)


def check_provisioned(requested: int, own: int, reserved: int | None, others: int, limit: int) -> None:
    """Raise AWS's errors unless a function may have `requested` more ready besides the `own` of its other qualifiers.
    `others` is what other functions hold of the account's `limit`."""
    if reserved is not None:
        if own + requested > reserved:
            raise errors.provisions_above_reserved()
        return
    if requested > limit:
        raise errors.provisions_above_account(limit)
    if limit - others - own - requested < limits.UNRESERVED_MINIMUM:
        raise errors.provisions_too_much()
