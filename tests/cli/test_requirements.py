"""Requirements: installed for the function's own runtime, kept between deploys, and clear when they cannot be had."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from lambent.cli import interpreters, requirements
from lambent.cli.failure import Exit, Failure

OWN = f"python3.{sys.version_info.minor}"
OTHER = "python3.15"
"""No machine has its interpreter yet, so its packages must come from wheels."""


def wheel(folder: Path, tag: str = "py3-none-any", version: str = "1.0") -> None:
    """Write a wheel of a package `tiny` that says which one it is."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"BUILT_FOR = {tag!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    with zipfile.ZipFile(folder / f"tiny-{version}-{tag}.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{about}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"]))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A requirements file that finds its packages in a folder, without any network."""
    wheel(tmp_path / "wheels")
    path = tmp_path / "source" / "requirements.txt"
    path.parent.mkdir()
    path.write_text(f"--no-index\n--find-links {tmp_path / 'wheels'}\ntiny\n")
    return path


def test_packages_are_installed_once_and_kept(project: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    first = requirements.install(project, OWN, tmp_path / "cache", steps.append)
    assert (first / "tiny.py").read_text() == "BUILT_FOR = 'py3-none-any'\n"
    assert not list(first.rglob("*.pyc"))
    (first / "marker").write_text("kept")
    assert requirements.install(project, OWN, tmp_path / "cache", steps.append) == first
    assert (first / "marker").is_file()
    assert steps == [f"installing requirements.txt for {OWN}"]


def test_fresh_installs_again(project: Path, tmp_path: Path) -> None:
    folder = requirements.install(project, OWN, tmp_path / "cache", print)
    (folder / "marker").write_text("old")
    assert requirements.install(project, OWN, tmp_path / "cache", print, fresh=True) == folder
    assert not (folder / "marker").exists()


def test_other_requirements_and_other_runtimes_are_kept_apart(project: Path, tmp_path: Path) -> None:
    first = requirements.install(project, OWN, tmp_path / "cache", print)
    other = requirements.install(project, OTHER, tmp_path / "cache", print)
    project.write_text(project.read_text().replace("tiny", "tiny==1.0"))
    changed = requirements.install(project, OWN, tmp_path / "cache", print)
    assert len({first, other, changed}) == 3


def test_the_wheel_of_the_functions_runtime_is_chosen_even_without_its_interpreter(
    project: Path, tmp_path: Path
) -> None:
    tag = OTHER.replace("python3.", "cp3")
    wheel(tmp_path / "wheels", f"{tag}-none-any", version="2.0")
    folder = requirements.install(project, OTHER, tmp_path / "cache", print)
    assert (folder / "tiny.py").read_text() == f"BUILT_FOR = '{tag}-none-any'\n"


def test_every_interpreter_of_this_machine_gets_its_own_wheel(project: Path, tmp_path: Path) -> None:
    found = [name for name, runtime in interpreters.find(interpreters.RUNTIMES, os.environ).items() if runtime]
    assert OWN in found
    for name in found:
        tag = name.replace("python3.", "cp3")
        wheel(tmp_path / "wheels", f"{tag}-none-any", version="2.0")
    for name in found:
        tag = name.replace("python3.", "cp3")
        folder = requirements.install(project, name, tmp_path / "cache", print)
        assert (folder / "tiny.py").read_text() == f"BUILT_FOR = '{tag}-none-any'\n"


def test_an_included_file_counts_too(project: Path, tmp_path: Path) -> None:
    inner = project.with_name("inner.txt")
    inner.write_text("tiny\n")
    project.write_text(project.read_text().replace("tiny\n", "-r inner.txt\n"))
    first = requirements.install(project, OWN, tmp_path / "cache", print)
    inner.write_text("tiny==1.0\n")
    assert requirements.install(project, OWN, tmp_path / "cache", print) != first


def test_files_that_include_each_other_end_in_one_line_not_in_a_loop(project: Path, tmp_path: Path) -> None:
    project.write_text("-r requirements.txt\ntiny\n")
    with pytest.raises(Failure):
        requirements.install(project, OWN, tmp_path / "cache", print)


def test_a_local_package_is_installed_every_time(project: Path, tmp_path: Path) -> None:
    project.write_text(f"./{os.path.relpath(tmp_path / 'wheels' / 'tiny-1.0-py3-none-any.whl', project.parent)}\n")
    steps: list[str] = []
    for _ in range(2):
        requirements.install(project, OWN, tmp_path / "cache", steps.append)
    assert len(steps) == 2


def test_a_package_that_does_not_exist_is_one_clear_line_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    project.write_text(project.read_text() + "no-such-package-anywhere\n")
    with pytest.raises(Failure) as caught:
        requirements.install(project, OWN, tmp_path / "cache", print)
    assert caught.value.code == Exit.MACHINE
    assert str(caught.value).startswith(f"{project} could not be installed: ")
    assert "no-such-package-anywhere" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_index_out_of_reach_is_one_clear_line(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The discard port of this machine: nobody listens there.
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    project.write_text("lambent-has-no-such-package\n")
    with pytest.raises(Failure, match="the package index cannot be reached; check the network") as caught:
        requirements.install(project, OWN, tmp_path / "cache", print)
    assert caught.value.code == Exit.MACHINE


def test_only_python_runtimes_have_requirements(project: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="for Python runtimes only, not for nodejs22"):
        requirements.install(project, "nodejs22.x", tmp_path / "cache", print)


def test_the_cache_stays_small_and_drops_what_is_used_least(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for number in range(requirements.KEPT + 3):
        old = cache / f"old-{number:02}"
        old.mkdir()
        os.utime(old, (number, number))
    new = requirements.install(project, OWN, cache, print)
    left = {entry.name for entry in cache.iterdir()}
    assert len(left) == requirements.KEPT
    assert new.name in left
    assert {"old-00", "old-01", "old-02", "old-03"}.isdisjoint(left)


def test_paths_may_be_relative_to_where_the_command_runs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = requirements.install(project.relative_to(tmp_path), OWN, Path("cache"), print)
    assert (folder / "tiny.py").is_file()
    assert folder.parent == tmp_path / "cache"
    assert [path.name for path in project.parent.iterdir()] == ["requirements.txt"]


def test_the_cache_lies_where_the_user_keeps_caches(tmp_path: Path) -> None:
    assert requirements.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "lambent" / "requirements"
    for environ in ({}, {"XDG_CACHE_HOME": "relative"}):
        assert requirements.cache_folder(environ) == Path.home() / ".cache" / "lambent" / "requirements"


def test_who_has_no_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(Failure, match="XDG_CACHE_HOME"):
        requirements.cache_folder({})
