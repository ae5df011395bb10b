"""Amazon Resource Names: the only address by which one part of the system names another."""

from __future__ import annotations

import msgspec


class Arn(msgspec.Struct, frozen=True):
    """`arn:partition:service:region:account:resource`; region and account may be empty."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Split `text` into its six fields. Raises ValueError where it is not an ARN."""
        fields = text.split(":", 5)
        if len(fields) != 6 or fields[0] != "arn" or not fields[1] or not fields[2] or not fields[5]:
            raise ValueError(f"not an ARN: {text!r}")
        return cls(*fields[1:])

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def arn(service: str, region: str, account: str, resource: str) -> str:
    """The text of an ARN in the `aws` partition."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"
