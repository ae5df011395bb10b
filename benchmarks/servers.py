"""The servers under measurement, each in a process of its own: prints its URL, ends when its input closes."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from lambent.app import App
from lambent.cli.running import settle
from lambent.kernel import limits
from lambent.kernel.clock import SystemClock
from lambent.kernel.settings import Settings
from lambent.wire.http import HttpRequest, HttpResponse
from lambent.wire.server import HttpServer


async def _input_closes() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def _echo(request: HttpRequest) -> HttpResponse:
    body = await request.body.read(limits.REQUEST_BODY_BYTES)
    return HttpResponse(200, [("Content-Type", "application/json")], body)


async def echo() -> None:
    """The baseline: the same HTTP server with nothing behind it."""
    server = HttpServer(_echo, SystemClock())
    port = await server.start("127.0.0.1", 0)
    print(f"http://127.0.0.1:{port}", flush=True)
    await _input_closes()
    await server.close()


async def lambent(data: str, fronts: int = 0) -> None:
    """Lambent itself, with its data below `data`, and with so many fronts."""
    async with App.running(Settings(port=0, data=data, fronts=fronts)) as app:
        settle()  # as the command line does
        print(app.endpoint, app.sandbox, flush=True)
        await _input_closes()


def main() -> None:
    """Run the server that the first argument names; Lambent takes its data folder and its number of fronts as well."""
    kind, *arguments = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(echo() if kind == "echo" else lambent(arguments[0], *map(int, arguments[1:])))


if __name__ == "__main__":
    main()
