"""Runs another command of ours beside the server, so that boto3 and pip never load into it or hold it up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lambent.cli.failure import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from lambent.kernel.settings import Settings
    from lambent.kernel.tasks import Supervisor

_LINE_BYTES: Final = 64 * 1024 * 1024
"""The longest line a command may print: `ls --json` prints every function on one."""

_LAST_LINES: Final = 20

_OTHER_IDENTITIES: Final = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")


async def run(
    arguments: Sequence[str],
    endpoint: str,
    settings: Settings,
    tasks: Supervisor,
    step: Callable[[str], None] | None = None,
) -> AsyncIterator[Any]:
    """Run `lambent ARGUMENTS --json` against the server and yield each value it prints; `step` hears its progress.

    Raises Failure where the command itself could not work.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lambent.cli.main", *arguments, "--json", "--endpoint", endpoint,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(settings),
        limit=_LINE_BYTES,
        start_new_session=True,
    )  # fmt: skip
    last: deque[str] = deque(maxlen=_LAST_LINES)
    listening = tasks.start(f"lambent {arguments[0]}", _listen(child, last, step))
    try:
        assert child.stdout is not None
        silent = True
        async for line in child.stdout:
            silent = False
            yield msgspec.json.decode(line)
        await listening
        code = await child.wait()
        if silent and code != 0:
            raise Failure(last[-1] if last else f"lambent {arguments[0]} ended with {code}", Exit.REFUSED)
    finally:
        listening.cancel()
        if child.returncode is None:
            # The whole session: pip may be at work below the command.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            await child.wait()


async def _listen(child: asyncio.subprocess.Process, last: deque[str], step: Callable[[str], None] | None) -> None:
    assert child.stderr is not None
    async for line in child.stderr:
        text = line.decode("utf-8", "replace").strip()
        last.append(text)
        if step and text:
            step(text)


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment, signing as the server's own account, or as the first key's where none is its."""
    keys = () if settings.development else settings.keys
    pair = next((each for each in keys if each.account in (None, settings.account)), next(iter(keys), None))
    kept = {name: value for name, value in os.environ.items() if name not in _OTHER_IDENTITIES}
    return kept | {
        "AWS_ACCESS_KEY_ID": pair.access_key_id if pair else "test",
        "AWS_SECRET_ACCESS_KEY": pair.secret_access_key if pair else "test",
        "AWS_REGION": settings.region,
    }
