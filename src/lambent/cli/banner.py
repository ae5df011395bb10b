"""What `lambent up` shows: where the server is, what is deployed on it, and the exact commands to try."""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from rich.text import Text

from lambent.cli import machine
from lambent.cli.package import megabytes
from lambent.cli.terminal import console, show_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambent.kernel.settings import Settings

SHOWN = 12
"""How many functions are named at the start."""

EVENT = "event.json"
"""A sample event in a function's folder."""


_LEVELS = {
    "jail": ("jail: the kernel walls functions in, each environment as a user of its own", ""),
    "userns": ("userns: the kernel walls functions in, without root", ""),
    "process": ("process: NO WALLS. Functions have your own rights: run only code that you trust", "bold yellow"),
}
"""What each sandbox level means, and how loudly it is said."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know about a server that takes calls."""

    endpoint: str
    data: str
    mode: str
    sandbox: str
    obstacle: str
    """Why the sandbox has no walls; empty where it has, or where none are asked for."""
    unlimited: str
    """Which limits functions are not held to in it, and why; empty where to all."""
    version: str
    process: int


class Screen(Protocol):
    """Shows the life of a server."""

    def ready(self, facts: Facts) -> None:
        """The server takes calls."""

    def present(self, functions: list[dict[str, Any]]) -> None:
        """These functions were there at the start."""

    @contextmanager
    def deploying(self) -> Iterator[Callable[[str], None]]:
        """Deploys have begun; the function given tells their steps."""

    def deployed(self, result: dict[str, Any]) -> None:
        """One function was deployed, or could not be."""

    def all_deployed(self) -> None:
        """Every deploy is done."""

    def stopping(self) -> None:
        """A signal has come."""

    def stopped(self) -> None:
        """Everything is closed."""


class JsonScreen:
    """One JSON object per line, for programs."""

    def ready(self, facts: Facts) -> None:
        show_json({"event": "ready"} | msgspec.to_builtins(facts))

    def present(self, functions: list[dict[str, Any]]) -> None:
        show_json({"event": "present", "functions": [function["FunctionName"] for function in functions]})

    @contextmanager
    def deploying(self) -> Iterator[Callable[[str], None]]:
        yield lambda _step: None

    def deployed(self, result: dict[str, Any]) -> None:
        show_json({"event": "deployed"} | result)

    def all_deployed(self) -> None:
        show_json({"event": "all-deployed"})

    def stopping(self) -> None:
        show_json({"event": "stopping"})

    def stopped(self) -> None:
        show_json({"event": "stopped"})


class TerminalScreen:
    """Calm lines for people."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._console = console()
        self._endpoint = ""
        self._results: list[dict[str, Any]] = []

    def ready(self, facts: Facts) -> None:
        self._endpoint = facts.endpoint
        self._line((f"Lambent {facts.version}", "bold"))
        self._line()
        self._fact("endpoint", facts.endpoint, "bold cyan")
        self._fact("data", facts.data)
        if self._settings.development:
            self._fact("credentials", "test / test, for development only")
        else:
            self._fact("credentials", f"{len(self._settings.keys)} from the settings")
        self._fact("account", f"{self._settings.account} in {self._settings.region}")
        self._fact("sandbox", *_LEVELS[facts.sandbox])
        if facts.obstacle:
            self._fact("", f"There is no stronger one here: {facts.obstacle}", "yellow")
        if facts.unlimited:
            self._fact("", f"Not all limits hold: {facts.unlimited}; {machine.delegation()}", "yellow")
        self._line()
        self._line("Ctrl-C stops the server. Functions, roles and logs are there again at the next start.")

    def present(self, functions: list[dict[str, Any]]) -> None:
        self._line()
        if functions:
            names = [function["FunctionName"] for function in functions]
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            self._line("Deployed: ", (", ".join(names[:SHOWN]), "bold"), more)
        else:
            self._line("Nothing is deployed yet. In another terminal: ", (f"{program()} deploy FOLDER", "bold"))

    @contextmanager
    def deploying(self) -> Iterator[Callable[[str], None]]:
        self._line()
        if not self._console.is_terminal:
            yield lambda _step: None
            return
        with self._console.status("deploying") as status:
            yield lambda step: status.update(Text(step))

    def deployed(self, result: dict[str, Any]) -> None:
        self._results.append(result)
        if result["action"] == "failed":
            self._line("  ", (f"{result['function']:<14}", "bold"), ("failed: ", "bold red"), result["error"])
            return
        facts = f"{result['runtime']}, {megabytes(result['bytes'])}"
        self._line("  ", (f"{result['function']:<14}", "bold"), (f"{result['action']:<11}", "green"), (facts, "dim"))
        if result.get("url"):
            self._line("  ", " " * 14, (result["url"], "cyan"))

    def all_deployed(self) -> None:
        callable_now = [result for result in self._results if result["action"] != "failed"]
        if not callable_now:
            return
        # The smallest with a sample event that answers at once is the one to begin with.
        callable_now.sort(key=lambda result: (result["durable"], _event(result) is None, int(result["bytes"])))
        first = callable_now[0]
        self._line()
        self._line("Try it in another terminal, here:")
        self._line()
        self._command(f"export {' '.join(self._variables())}")
        for result in callable_now:
            show = " && cat out.json" if result is first and not result["durable"] else ""
            self._command(f"aws lambda invoke --function-name {_target(result)}{_payload(result)} out.json{show}")
        # `aws logs tail` would be shorter, and version 1 of the AWS CLI does not have it.
        group = f"/aws/lambda/{first['function']}"
        self._command(f"aws logs filter-log-events --log-group-name {group} --query 'events[].message' --output text")
        self._line()
        if not first["durable"]:
            self._command(f"{program()} invoke {first['function']}{_event_flag(first)}")
        self._command(f"{program()} logs {first['function']} --follow")
        self._line()

    def stopping(self) -> None:
        if self._console.is_terminal:
            # The terminal has just written ^C.
            self._line()
        self._line("Stopping ...")

    def stopped(self) -> None:
        self._line("Stopped.")

    def _line(self, *parts: str | tuple[str, str]) -> None:
        # Soft wrapping keeps a long command one line for whoever copies it.
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def _fact(self, name: str, value: str, style: str = "") -> None:
        self._line((f"  {name:<13}", "dim"), (value, style))

    def _command(self, text: str) -> None:
        self._line("  ", (text, "cyan"))

    def _variables(self) -> list[str]:
        """What an AWS client needs to find the server. Keys of the user's own are never printed."""
        keys = ["AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"] if self._settings.development else []
        return [f"AWS_ENDPOINT_URL={self._endpoint}", *keys, f"AWS_DEFAULT_REGION={self._settings.region}"]


def program() -> str:
    """How this command is typed: by name where PATH finds it, or else by its path."""
    own = Path(sys.argv[0])
    found = shutil.which("lambent")
    if own.name != "lambent" or (found and Path(found).resolve() == own.resolve()):
        return "lambent"
    return shlex.quote(_near(own))


def _target(result: dict[str, Any]) -> str:
    """What `aws lambda invoke` is to call. A durable function is called by version, and may not answer for days."""
    name: str = result["function"]
    return f"'{name}:$LATEST' --invocation-type Event" if result["durable"] else name


def _payload(result: dict[str, Any]) -> str:
    """The payload for `aws lambda invoke`, spelled so that versions 1 and 2 of the AWS CLI send the same bytes."""
    event = _event(result)
    return f" --payload fileb://{event}" if event else ""


def _event_flag(result: dict[str, Any]) -> str:
    event = _event(result)
    return f" --payload-file {event}" if event else ""


def _event(result: dict[str, Any]) -> str | None:
    path = Path(result["path"], EVENT)
    return shlex.quote(_near(path)) if path.is_file() else None


def _near(path: Path) -> str:
    """`path` from the working folder where it lies below it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
