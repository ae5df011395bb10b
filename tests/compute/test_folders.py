"""Removing what functions have left, whatever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.compute import folders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compute.workshop import Workshop


def test_a_tree_that_may_not_be_written_to_goes_and_what_its_links_lead_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o555)
    tree = tmp_path / "tree"
    (tree / "deep" / "deeper").mkdir(parents=True)
    (tree / "deep" / "file").touch(mode=0o444)
    (tree / "deep" / "link").symlink_to(kept)
    for folder in (tree / "deep" / "deeper", tree / "deep", tree):
        folder.chmod(0o555)
    folders.remove(tree)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.stat().st_mode & 0o777 == 0o555


@pytest.mark.parametrize("kind", ["file", "link", "nothing"])
def test_what_is_no_folder_goes_too(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "path"
    if kind == "file":
        path.touch()
    elif kind == "link":
        path.symlink_to("nowhere")
    folders.remove(path)
    assert not path.is_symlink()
    assert not path.exists()


async def test_what_a_killed_server_left_of_its_cells_goes_and_what_is_new_stays(shop: Workshop) -> None:
    cells = shop.folder / "engine" / "cells"
    left = cells / "cell-left"
    (left / "tmp" / "copied").mkdir(parents=True)
    (cells / "stray").touch()
    (left / "tmp" / "copied").chmod(0o555)
    next_engine = shop.new_engine()
    function = shop.function("import os\ndef handler(e, c): return os.environ['TMPDIR']")
    await next_engine.invoke(function, shop.invocation())
    await next_engine.close()
    assert not list(cells.iterdir())
