"""Unpacking: once per content, whole or not at all, with the files as the package has them."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import stat
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from lambent.compute import code
from lambent.compute.code import CodeFolder
from lambent.kernel.errors import AwsError
from lambent.kernel.ids import SystemIds
from tests.compute.workshop import FolderBlobs, package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def folder(tmp_path: Path, blobs: FolderBlobs) -> CodeFolder:
    return CodeFolder(tmp_path / "code", blobs, SystemIds())


async def test_modes_times_and_links_are_kept_and_other_bits_are_not(tmp_path: Path, blobs: FolderBlobs) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, mode in (("plain.py", 0o100600), ("run.sh", 0o100700), ("setuid", 0o104755), ("dir/", 0o40700)):
            entry = zipfile.ZipInfo(name, (2020, 2, 2, 2, 2, 2))
            entry.external_attr = mode << 16
            archive.writestr(entry, "" if name.endswith("/") else "x")
        link = zipfile.ZipInfo("dir/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../plain.py")
        archive.writestr("./a//b/./c.txt", "deep")
    old = os.umask(0o077)
    try:
        root = await folder(tmp_path, blobs).unpacked(blobs.put(data.getvalue()))
    finally:
        os.umask(old)
    modes = {
        name: stat.S_IMODE((root / name).stat().st_mode) for name in ("plain.py", "run.sh", "setuid", "dir", "a/b")
    }
    assert modes == {"plain.py": 0o444, "run.sh": 0o555, "setuid": 0o555, "dir": 0o555, "a/b": 0o555}
    assert stat.S_IMODE(root.stat().st_mode) == 0o555
    assert (root / "plain.py").stat().st_mtime == 1580608922
    assert str((root / "dir/link").readlink()) == "../plain.py"
    assert (root / "a/b/c.txt").read_text() == "deep"


async def test_concurrent_requests_share_one_unpacking(
    tmp_path: Path, blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = code.unpack

    def counted(source: Path, target: Path) -> None:
        calls.append(source)
        real(source, target)

    monkeypatch.setattr(code, "unpack", counted)
    unpacked = folder(tmp_path, blobs)
    digest = blobs.put(package({"app.py": "x"}))
    roots = await asyncio.gather(*(unpacked.unpacked(digest) for _ in range(20)))
    assert len(set(roots)) == len(calls) == 1
    await folder(tmp_path, blobs).unpacked(digest)
    assert len(calls) == 1, "a restart finds it again"


async def test_a_caller_that_gives_up_does_not_stop_the_others(tmp_path: Path, blobs: FolderBlobs) -> None:
    unpacked = folder(tmp_path, blobs)
    digest = blobs.put(package({f"{n}.py": "x" * 1000 for n in range(300)}))
    first = asyncio.get_running_loop().create_task(unpacked.unpacked(digest))
    await asyncio.sleep(0)
    first.cancel()
    root = await unpacked.unpacked(digest)
    assert len(list(root.iterdir())) == 300


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_unpacked_code_cannot_be_written_to(tmp_path: Path, blobs: FolderBlobs) -> None:
    root = await folder(tmp_path, blobs).unpacked(blobs.put(package({"app.py": "x", "lib/b.py": "x"})))
    for path in ("app.py", "lib/b.py", "new.py", "lib/new.py"):
        with pytest.raises(PermissionError):
            (root / path).write_text("changed")
    with pytest.raises(PermissionError):
        (root / "lib/b.py").unlink()


async def test_litter_and_what_an_earlier_boot_unpacked_are_removed(tmp_path: Path, blobs: FolderBlobs) -> None:
    digest = blobs.put(package({"app.py": "x"}))
    root = await folder(tmp_path, blobs).unpacked(digest)
    (root.parent / ".new-half" / digest).mkdir(parents=True)
    (root.parent / ".new-half").chmod(0o555)
    (root.parent / "stray").write_text("x")
    (tmp_path / "code" / "another-boot" / digest).mkdir(parents=True)
    (tmp_path / "code" / "stray").write_text("x")
    (tmp_path / "code" / "link").symlink_to(root)
    await folder(tmp_path, blobs).prune()
    assert (root / "app.py").exists()
    assert [path.name for path in (tmp_path / "code").iterdir()] == [root.parent.name]
    assert [path.name for path in root.parent.iterdir()] == [digest]


async def test_litter_that_resists_stops_neither_the_start_nor_the_removal_of_the_rest(
    tmp_path: Path, blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = shutil.rmtree

    def resisting(path: Path, **kwargs: bool) -> None:
        if path.name != "another":
            real(path, **kwargs)

    monkeypatch.setattr(shutil, "rmtree", resisting)
    for name in ("a", "another", "z"):
        (tmp_path / "code" / name / "full").mkdir(parents=True)
    unpacked = folder(tmp_path, blobs)
    digest = blobs.put(package({"app.py": "x"}))
    root = await unpacked.unpacked(digest)
    await unpacked.prune()
    assert {path.name for path in (tmp_path / "code").iterdir()} == {root.parent.name, "another"}
    assert "another" in caplog.text


async def test_a_refused_package_leaves_nothing(tmp_path: Path, blobs: FolderBlobs) -> None:
    unpacked = folder(tmp_path, blobs)
    digest = blobs.put(package({"good.py": "x", "../evil.py": "x"}))
    for _ in range(2):
        with pytest.raises(AwsError):
            await unpacked.unpacked(digest)
    assert [list(boot.iterdir()) for boot in (tmp_path / "code").iterdir()] == [[]]
    assert not (tmp_path / "evil.py").exists()


async def test_what_was_unpacked_goes_after_its_package_and_can_come_again(tmp_path: Path, blobs: FolderBlobs) -> None:
    unpacked = folder(tmp_path, blobs)
    digest = blobs.put(package({"app.py": "x"}))
    root = await unpacked.unpacked(digest)
    await unpacked.prune()
    assert (root / "app.py").exists()
    blobs.path(digest).unlink()
    for _ in range(2):
        await unpacked.prune()
        assert list(root.parent.iterdir()) == []
    blobs.put(package({"app.py": "x"}))
    assert (await unpacked.unpacked(digest) / "app.py").read_text() == "x"


async def test_layers_lie_over_one_another_in_order(tmp_path: Path, blobs: FolderBlobs) -> None:
    layers = (
        blobs.put(package({"python/a.py": "first", "python/b.py": "first", "changes/file": "a folder at first"})),
        blobs.put(package({"python/b.py": "second", "bin/tool": "tool", "changes": "a file later"})),
        blobs.put(package({"python/c.py": "third"})),
    )
    shown = await folder(tmp_path, blobs).laid(layers)
    assert shown is not None
    files = {str(path.relative_to(shown)): path.read_text() for path in shown.rglob("*") if path.is_file()}
    assert files == {
        "python/a.py": "first",
        "python/b.py": "second",
        "python/c.py": "third",
        "bin/tool": "tool",
        "changes": "a file later",
    }
    assert not any(path.stat().st_mode & 0o222 for path in (shown, *shown.rglob("*")))


async def test_links_of_layers_are_kept_and_a_folder_replaces_a_link(tmp_path: Path, blobs: FolderBlobs) -> None:
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as archive:
        archive.writestr("lib/real/file", "x")
        for name in ("lib/there", "lib/gone"):
            link = zipfile.ZipInfo(name)
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "real")
    layers = (blobs.put(linked.getvalue()), blobs.put(package({"lib/gone/own": "y"})))
    shown = await folder(tmp_path, blobs).laid(layers)
    assert shown is not None
    assert (shown / "lib/there").is_symlink()
    assert (shown / "lib/there/file").read_text() == "x"
    assert not (shown / "lib/gone").is_symlink()
    assert (shown / "lib/gone/own").read_text() == "y"
    assert not (shown / "lib/real/own").exists()


async def test_layers_are_laid_once_and_go_when_one_of_them_is_gone(tmp_path: Path, blobs: FolderBlobs) -> None:
    code_folder = folder(tmp_path, blobs)
    assert await code_folder.laid(()) is None
    digests = tuple(blobs.put(package({f"{number}": "x"})) for number in range(6))
    assert await code_folder.laid(digests[:1]) == await code_folder.unpacked(digests[0])
    first, second = await asyncio.gather(code_folder.laid(digests), code_folder.laid(digests))
    assert first is not None
    assert first == second
    blobs.path(digests[3]).unlink()
    await code_folder.prune()
    assert not first.exists()


async def test_layers_that_could_not_be_laid_leave_nothing_and_are_laid_by_who_comes_next(
    tmp_path: Path, blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_folder = folder(tmp_path, blobs)
    digests = tuple(blobs.put(package({f"{number}": "x"})) for number in range(2))
    for digest in digests:
        await code_folder.unpacked(digest)
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def full(*_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(20)
        raise OSError("no space is left")

    with monkeypatch.context() as patch:
        patch.setattr(code, "_link", full)
        waiter = loop.create_task(code_folder.laid(digests))
        await begun.wait()
        [laying] = code_folder._laid.values()
        waiter.cancel()
        go_on.set()
        await asyncio.wait([laying])
        blobs.path(digests[1]).unlink()
        await code_folder.prune()
    assert [path.name for path in code_folder.folder.iterdir()] == [digests[0]]
    blobs.put(package({"1": "x"}))
    shown = await code_folder.laid(digests)
    assert shown is not None
    assert {path.name for path in shown.iterdir()} == {"0", "1"}
