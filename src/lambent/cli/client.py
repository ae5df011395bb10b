"""The AWS client of the other commands: plain boto3, which stands here and nowhere else in the program."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lambent.cli.failure import Exit, Failure
from lambent.kernel.settings import Settings, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEFAULTS: Final = Settings()

DEFAULT_ENDPOINT: Final = f"http://{_DEFAULTS.host}:{_DEFAULTS.port}"

CONNECT_S: Final = 5
READ_S: Final = 930
"""Longer than any function runs."""

_OWN_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
"""Variables by which the user says who to sign as; without one, commands use the development key pair."""


_PROFILES: Final = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_DEVELOPMENT_KEYS: Final = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class Aws:
    """Clients of one server."""

    def __init__(self, endpoint: str) -> None:
        # boto3 takes longer to import than `lambent --help` may take to run.
        import boto3

        self.endpoint = endpoint
        # A profile that does not exist shows here.
        self._session = boto3.session.Session()

    def client(self, service: str) -> Any:
        """A boto3 client that never repeats a call by itself: an invoke must not run twice."""
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1}, connect_timeout=CONNECT_S, read_timeout=READ_S)
        if is_loopback(urlsplit(self.endpoint).hostname or ""):
            # A proxy of the company cannot reach this machine's own server.
            config = config.merge(Config(proxies={}))
        keys = {} if any(map(os.environ.get, _OWN_CREDENTIALS)) else _DEVELOPMENT_KEYS
        return self._session.client(
            service, endpoint_url=self.endpoint, region_name=self._region(), config=config, **keys
        )

    def _region(self) -> str:
        """The region that was asked for. That of a default profile says nothing about this server."""
        asked = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not asked and any(map(os.environ.get, _PROFILES)):
            asked = self._session.region_name
        return asked or _DEFAULTS.region


def endpoint(given: str | None) -> str:
    """The server's address: given, from LAMBENT_ENDPOINT or AWS_ENDPOINT_URL, or where LAMBENT_HOST and LAMBENT_PORT
    put it. Raises Failure."""
    text = given or os.environ.get("LAMBENT_ENDPOINT") or os.environ.get("AWS_ENDPOINT_URL") or _usual_endpoint()
    parts = urlsplit(text)
    try:
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise Failure(f"{text!r} is not an endpoint; it looks like {DEFAULT_ENDPOINT}", Exit.USAGE)
    return text.rstrip("/")


def _usual_endpoint() -> str:
    host = os.environ.get("LAMBENT_HOST") or _DEFAULTS.host
    return f"http://{host}:{os.environ.get('LAMBENT_PORT') or _DEFAULTS.port}"


@contextmanager
def server(given: str | None) -> Iterator[Aws]:
    """Talk to the server; what goes wrong there leaves as a Failure."""
    address = endpoint(given)
    with explained(address):
        yield Aws(address)


@contextmanager
def explained(address: str) -> Iterator[None]:
    """What goes wrong with the server at `address` leaves as a Failure."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    try:
        yield
    except exceptions.ClientError as error:
        raise _refused(address, error.response) from None
    except ResponseParserError:
        raise _stranger(address) from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise _unreachable(address, error) from None
    except exceptions.BotoCoreError as error:
        raise Failure(str(error), Exit.USAGE) from None


def _refused(address: str, response: Any) -> Failure:
    error = response.get("Error", {})
    code, message = error.get("Code", "Unknown"), error.get("Message", "")
    if "<html" in message.lower():
        return _stranger(address)
    return Failure(f"{code}: {message}" if message else str(code), Exit.REFUSED)


def _stranger(address: str) -> Failure:
    return Failure(f"what listens at {address} does not speak AWS; is it another program?", Exit.UNREACHABLE)


def _unreachable(address: str, error: Exception) -> Failure:
    kind = type(error).__name__
    if kind in ("EndpointConnectionError", "ConnectTimeoutError"):
        return Failure(f"no server answers at {address}; start one with: lambent up", Exit.UNREACHABLE)
    return Failure(f"the server at {address} stopped answering ({kind})", Exit.UNREACHABLE)
