"""The names and ARNs of log groups and streams."""

from __future__ import annotations

from lambent.kernel.arn import Arn, arn

_GROUP = "log-group:"


def group_arn(account: str, region: str, group: str) -> str:
    """The ARN of a log group, without the `:*` that some answers append."""
    return arn("logs", region, account, _GROUP + group)


def stream_arn(account: str, region: str, group: str, stream: str) -> str:
    """The ARN of a log stream."""
    return f"{group_arn(account, region, group)}:log-stream:{stream}"


def group_of_identifier(identifier: str, account: str, region: str) -> str | None:
    """The name in a `logGroupIdentifier`, a name or an ARN; None for a group of another account or region."""
    if not identifier.startswith("arn:"):
        return identifier
    return group_of_arn(identifier, account, region)


def group_of_arn(text: str, account: str, region: str) -> str | None:
    """The name in a log group's ARN, with or without `:*`; None for anything else and for another account or region."""
    try:
        parts = Arn.parse(text)
    except ValueError:
        return None
    if (parts.service, parts.account, parts.region) != ("logs", account, region):
        return None
    if not parts.resource.startswith(_GROUP):
        return None
    return parts.resource.removeprefix(_GROUP).removesuffix(":*") or None


def after_prefix(prefix: str) -> str:
    """The bound below which names that start with `prefix` sort; U+10FFFF, which is no character, comes after all."""
    return prefix + chr(0x10FFFF)
