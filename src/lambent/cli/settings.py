"""Reads a server's settings: flags, then environment variables, then the settings file, then the defaults."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lambent.cli.failure import Exit, Failure
from lambent.kernel.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE: Final = "lambent.toml"
"""Looked for in the working folder where neither `--config` nor LAMBENT_CONFIG names a file."""

VARIABLE_PREFIX: Final = "LAMBENT_"

LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_LEVEL_VARIABLE: Final = f"{VARIABLE_PREFIX}LOG_LEVEL"

ALLOWED: Final = {
    "host": "the name or address of one of this machine's interfaces, such as 127.0.0.1",
    "port": "a whole number from 0 to 65535 (0 takes a free port)",
    "data": "the path of a folder",
    "mode": "development or production",
    "account": "12 digits",
    "region": "the name of a region, such as us-east-1",
    "keys": "tables with access_key_id, secret_access_key and, if wanted, account",
    "environment_idle_s": "seconds, more than 0",
    "concurrency": "a whole number from 1",
    "code_bytes": "a whole number from 1",
    "fronts": "a whole number from 0 to 64",
    "sandbox": "auto, jail, userns or process",
    "file_systems": 'a table of folders by access point, such as fsap-0123456789abcdef0 = "/srv/models"',
    "cpu": "exact or free",
    "internet": "on or off",
    "public_url": "the URL whose subdomains lead here, such as https://lambda.example.com",
    "internet_allow": 'a list of networks, such as ["10.0.0.0/8", "192.0.2.7:443"]',
    "s3_endpoint": "the URL of an S3, such as http://127.0.0.1:9000",
    "s3_key": "a table with access_key_id and secret_access_key",
    "elsewhere": "tables by sqs, sns, events or s3 with endpoint, access_key_id and secret_access_key",
}
"""What each setting takes, in words for people."""

FROM_VARIABLES: Final = tuple(
    name for name in ALLOWED if name not in ("keys", "internet_allow", "s3_key", "file_systems", "elsewhere")
)
"""The settings that have an environment variable. Lists and tables have none, and secrets stay in the file, where
permissions guard them."""


_SECRETS: Final = ("keys", "s3_key", "elsewhere")
"""Their values are never shown."""


class Loaded(msgspec.Struct, frozen=True):
    """The settings and where they were read from."""

    settings: Settings
    file: Path | None
    warnings: tuple[str, ...] = ()


def load(flags: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> Loaded:
    """The settings of a server that is started in `folder`. A flag that is None was not given.

    Raises Failure, naming the flag, variable or file that is wrong and what it takes.
    """
    file = _file(flags.get("config"), environ, folder)
    values = _from_file(file) if file else {}
    for name in FROM_VARIABLES:
        variable = VARIABLE_PREFIX + name.upper()
        if text := environ.get(variable):
            values[name] = _converted(name, text, variable, strict=False)
    for name in ALLOWED:
        if (value := flags.get(name)) is not None:
            values[name] = _converted(name, value, "--production" if name == "mode" else f"--{name}")
    try:
        settings = Settings(**values)
    except ValueError as error:
        raise Failure(
            f"{error}: listen on 127.0.0.1, or use --production with your own keys in {FILE}", Exit.USAGE
        ) from None
    _check(settings)
    return Loaded(settings, file, tuple(_warnings(settings, file)))


def log_level(flag: str | None, environ: Mapping[str, str]) -> str:
    """How much the server logs on stderr. Raises Failure."""
    level = flag or environ.get(LOG_LEVEL_VARIABLE) or "warning"
    if level.lower() not in LOG_LEVELS:
        origin = "--log-level" if flag else LOG_LEVEL_VARIABLE
        raise Failure(f"{origin}: {level!r} is not allowed; it takes {', '.join(LOG_LEVELS)}", Exit.USAGE)
    return level.lower()


def _file(flag: object, environ: Mapping[str, str], folder: Path) -> Path | None:
    named = flag or environ.get(f"{VARIABLE_PREFIX}CONFIG")
    if named is None:
        usual = folder / FILE
        return usual if usual.is_file() else None
    path = folder / Path(str(named)).expanduser()
    if not path.is_file():
        origin = "--config" if flag else f"{VARIABLE_PREFIX}CONFIG"
        raise Failure(f"{origin}: there is no settings file {named}", Exit.USAGE)
    return path


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: not valid TOML: {error}", Exit.USAGE) from None
    except OSError as error:
        raise Failure(f"{path}: cannot be read: {error.strerror}", Exit.USAGE) from None
    unknown = sorted(table.keys() - ALLOWED.keys())
    if unknown:
        raise Failure(f"{path}: no setting is called {unknown[0]}{_hint(unknown[0], list(ALLOWED))}", Exit.USAGE)
    values = {name: _converted(name, value, f"{path}: {name}") for name, value in table.items()}
    if "data" in values:
        # A path in a file means the same wherever the server is started from.
        values["data"] = str(path.parent / Path(values["data"]).expanduser())
    if "file_systems" in values:
        values["file_systems"] = {
            name: str(path.parent / Path(folder).expanduser()) for name, folder in values["file_systems"].items()
        }
    return values


def _hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _converted(name: str, value: object, origin: str, *, strict: bool = True) -> Any:
    field = next(field for field in msgspec.structs.fields(Settings) if field.name == name)
    try:
        return msgspec.convert(value, field.type, strict=strict)
    except msgspec.ValidationError:
        shown = "" if name in _SECRETS else f"{value!r} is not allowed; "
        raise Failure(f"{origin}: {shown}it takes {ALLOWED[name]}", Exit.USAGE) from None


def _check(settings: Settings) -> None:
    for entry in settings.internet_allow:
        _check_network(entry)
    for name, folder in settings.file_systems.items():
        if not Path(folder).is_dir():
            raise Failure(f"file_systems: {name}: there is no folder {folder}", Exit.USAGE)
    if not settings.development and not settings.keys:
        raise Failure(
            f"production mode needs a key pair of your own: add [[keys]] with access_key_id and secret_access_key to"
            f" {FILE}",
            Exit.USAGE,
        )


def _check_network(entry: str) -> None:
    # Few servers have any, and every command imports this module.
    from lambent.compute.sandbox.egress.policy import Policy

    try:
        Policy(allow=(entry,))
    except ValueError as error:
        raise Failure(f"internet_allow: {error}; it takes {ALLOWED['internet_allow']}", Exit.USAGE) from None


def _warnings(settings: Settings, file: Path | None) -> list[str]:
    if file and (settings.keys or settings.s3_key) and file.stat().st_mode & 0o077:
        return [f"{file} holds secret keys and other users can read it: chmod 600 {file}"]
    return []
