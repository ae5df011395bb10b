"""What a server says of itself at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.cli import machine
from lambent.cli.banner import Facts, TerminalScreen
from lambent.kernel.settings import Settings

if TYPE_CHECKING:
    import pytest


def said(capsys: pytest.CaptureFixture[str], unlimited: str) -> str:
    screen = TerminalScreen(Settings())
    screen.ready(
        Facts(
            endpoint="http://127.0.0.1:4566",
            data="data",
            mode="development",
            sandbox="userns",
            obstacle="",
            unlimited=unlimited,
            version="1.0",
            process=1,
        )
    )
    return capsys.readouterr().out


def test_limits_that_do_not_hold_are_told_with_what_can_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"Not all limits hold: nothing limits memory; {machine.delegation()}"
    assert line in said(capsys, "nothing limits memory")


def test_where_all_limits_hold_nothing_is_told_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert "limits" not in said(capsys, "")
