"""The settings of a server as one typed value; reading them from flags, variables and files is the CLI's."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec

from lambent.kernel import limits

Account = Annotated[str, msgspec.Meta(pattern=r"^\d{12}$")]
AccessPoint = Annotated[str, msgspec.Meta(pattern=r"^fsap-[0-9a-f]{17,40}$")]


class KeyPair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A long-lived access key of the account's root user."""

    access_key_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    secret_access_key: Annotated[str, msgspec.Meta(min_length=1)]
    account: Account | None = None
    """The account it acts in; the settings' own where None."""


class S3Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The access key that an S3 elsewhere knows this server by."""

    access_key_id: Annotated[str, msgspec.Meta(min_length=1)]
    secret_access_key: Annotated[str, msgspec.Meta(min_length=1)]


class Elsewhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service that AWS or another program offers: its URL, and the access key that it knows this server by."""

    endpoint: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#]+(/[^?#]*)?$")]
    access_key_id: Annotated[str, msgspec.Meta(min_length=1)]
    secret_access_key: Annotated[str, msgspec.Meta(min_length=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the server listens, where its data lies and whom it trusts. The names are those of `lambent.toml`.

    Raises ValueError where other machines could use the well-known credentials.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 4566
    """0 takes a free port."""
    data: str = "lambent-data"
    mode: Literal["development", "production"] = "development"
    account: Account = "000000000000"
    region: str = "us-east-1"
    keys: tuple[KeyPair, ...] = ()
    """Access keys besides the `test`/`test` pair, which exists in development mode only."""
    environment_idle_s: Annotated[float, msgspec.Meta(gt=0)] = limits.ENVIRONMENT_IDLE_S
    concurrency: Annotated[int, msgspec.Meta(ge=1)] = limits.ACCOUNT_CONCURRENCY
    """The account's limit of concurrent executions."""
    code_bytes: Annotated[int, msgspec.Meta(ge=1)] = limits.ACCOUNT_CODE_BYTES
    """How much of packages an account may store in a region."""
    fronts: Annotated[int, msgspec.Meta(ge=0, le=limits.FRONTS)] = 0
    """How many further processes speak HTTP for the server, so that it has its own core for the invocations; with none
    it does so itself."""
    sandbox: Literal["auto", "jail", "userns", "process"] = "auto"
    """How functions are held in; `auto` takes the strongest level that this machine has."""
    cpu: Literal["exact", "free"] | None = None
    """`exact` gives a function the share of a core that AWS gives for its memory, `free` what is there; exact in
    production and free in development where nothing is said."""
    internet: Literal["on", "off"] | None = None
    """Whether functions reach other machines; on in development and off in production where nothing is said."""
    internet_allow: tuple[str, ...] = ()
    """Where not empty: exactly the networks that functions reach, `10.0.0.0/8` or `192.0.2.7:443`."""

    file_systems: dict[AccessPoint, str] = {}
    """Folders that stand for the file systems of these access points; for others the data folder has one each."""

    public_url: Annotated[str, msgspec.Meta(pattern=r"^(https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?/?)?$")] = ""
    """The URL below whose host other machines reach what has a host name of its own, such as function URLs: a DNS
    record for all names below it, and what terminates TLS, stand before the server. This machine's own where empty."""

    s3_endpoint: Annotated[str, msgspec.Meta(pattern=r"^(https?://[^/?#]+(/[^?#]*)?)?$")] = ""
    """The URL of the S3 that packages are taken from; there are none on S3 where it is empty."""
    s3_key: S3Key | None = None
    """What requests to it are signed with; nothing where it is None."""

    elsewhere: dict[Literal["events", "s3", "sns", "sqs"], Elsewhere] = {}
    """Where events for queues, topics, event buses and buckets are sent; those for others are kept as dead events."""

    def __post_init__(self) -> None:
        if self.development and not is_loopback(self.host):
            raise ValueError(
                f"{self.host or 'no host'} can be reached by other machines, and development mode trusts the "
                "well-known key pair test/test"
            )

    @property
    def development(self) -> bool:
        """Whether the well-known credentials are accepted."""
        return self.mode == "development"

    @property
    def metered_cpu(self) -> bool:
        """Whether a function's memory decides how much of a core it has."""
        return not self.development if self.cpu is None else self.cpu == "exact"

    @property
    def online(self) -> bool:
        """Whether functions reach other machines where no networks are named."""
        return self.development if self.internet is None else self.internet == "on"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost could come to mean anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
