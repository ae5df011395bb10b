"""Finds where on this machine a server may make control groups, and prepares its folder in each tree.

Root takes the top of every tree: what it makes there is in nobody's way, and no limit of the terminal that it was
started from applies. Everybody else needs a part of the unified tree that was delegated, as a service with
`Delegate=yes` and the session of a desktop have: https://systemd.io/CGROUP_DELEGATION/.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lambent.compute.sandbox.cgroups import CONTROLLERS, Cgroups, Tree, plain_name, write

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOUNTS: Final = Path("/proc/self/mountinfo")
_OWN: Final = Path("/proc/self/cgroup")
_WANTED: Final = frozenset(CONTROLLERS)
_LEAF: Final = "lambent-server"
"""The group into which a server moves that was alone in its own."""


class _Mount(msgspec.Struct, frozen=True):
    """A mounted hierarchy. `controllers` is empty for the unified one, which says in its files what it has."""

    top: Path
    below: str
    controllers: frozenset[str]
    unified: bool


def find(name: str, *, privileged: bool, mounts: Path = _MOUNTS, own: Path = _OWN) -> Cgroups:
    """The control groups for the server `name`, its folders made; `Cgroups.none()` where nothing may be written.
    `privileged` is for root. Raises ValueError for a name that is no plain file name."""
    places = _own_places(own)
    trees: list[Tree] = []
    missing = _WANTED
    mounted = _mounts(mounts)
    for mount in mounted:
        candidates = _candidates(mount, places, privileged)
        tree = (_unified if mount.unified else _first)(mount, candidates, f"lambent-{plain_name(name)}", missing)
        if tree is not None:
            trees.append(tree)
            missing -= tree.controls
    return Cgroups(_without_doubles(trees), _lacking(missing, mounted, places) if missing else "")


def _lacking(missing: frozenset[str], mounts: list[_Mount], places: dict[str, str]) -> str:
    """Why nothing limits what is `missing`, for people."""
    limits = f"limits {', '.join(sorted(missing))}"
    if not mounts:
        return f"no control groups are mounted here for writing, so nothing {limits}"
    own = next((_own_group(mount, places) for mount in mounts if mount.unified), None)
    if own and _joinable(own) and missing <= _words(own / "cgroup.controllers") and not _alone(own):
        return f"this process shares its control group, so none may be made in it that {limits}"
    return f"no control group may be made here that {limits}"


def _mounts(path: Path) -> list[_Mount]:
    """Every hierarchy once, the unified one first: where it has a controller, no other tree does."""
    found: dict[frozenset[str] | bool, _Mount] = {}
    for line in path.read_text().splitlines():
        mounted, _, kind = line.partition(" - ")
        _, _, _, below, top, options, *_ = mounted.split()
        system, _, features = kind.split()
        if system not in {"cgroup", "cgroup2"} or "rw" not in options.split(","):
            continue
        unified = system == "cgroup2"
        controllers = frozenset[str]() if unified else frozenset(features.split(",")) & (_WANTED | {"freezer"})
        if unified or controllers:
            mount = _Mount(Path(_unescaped(top)), _unescaped(below), controllers, unified)
            found.setdefault(unified or controllers, mount)
    return sorted(found.values(), key=lambda mount: (not mount.unified, mount.top))


def _unescaped(path: str) -> str:
    """Mount tables write blanks and the like as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _own_places(path: Path) -> dict[str, str]:
    """In which group this process is: controller to path; the unified tree's under the empty name."""
    lines = (line.split(":", 2) for line in path.read_text().splitlines())
    return {controller: place for _, controllers, place in lines for controller in controllers.split(",")}


def _own_group(mount: _Mount, places: dict[str, str]) -> Path:
    """The group of this process, or the one that it has moved aside in already."""
    place = next((places[key] for key in sorted(mount.controllers or {""}) if key in places), "/")
    inside = Path("/") / os.path.relpath(place, mount.below)
    if ".." in inside.parts:
        return mount.top
    own = mount.top / inside.relative_to("/")
    return own.parent if own.name == _LEAF else own


def _candidates(mount: _Mount, places: dict[str, str], privileged: bool) -> list[Path]:
    """Where the server's folder may be made, best first: for root the top, then its own group and those above it."""
    own = _own_group(mount, places)
    above = [own, *(parent for parent in own.parents if parent.is_relative_to(mount.top))]
    return [mount.top, *above] if privileged else above


def _first(mount: _Mount, candidates: list[Path], name: str, missing: frozenset[str]) -> Tree | None:
    """A tree of version 1: the controllers that are mounted there are all in force."""
    controls = (mount.controllers & missing) | ({"freeze"} if "freezer" in mount.controllers else set())
    if not controls:
        return None
    for candidate in candidates:
        if _made(candidate / name):
            return Tree(str(candidate / name), unified=False, controls=frozenset(controls))
    return None


def _unified(_: _Mount, candidates: list[Path], name: str, missing: frozenset[str]) -> Tree | None:
    """The unified tree at the place that can hand down most of what is missing. One that can do so for nothing still
    serves to freeze and kill."""
    handed: dict[Path, frozenset[str]] = {}
    for candidate in dict.fromkeys(candidates):
        if _joinable(candidate) and _made(candidate / name):
            handed[candidate] = _handed_down(candidate, missing)
            if handed[candidate] == missing:
                break
    if not handed:
        return None
    best = max(handed, key=lambda candidate: len(handed[candidate]))
    for other in handed.keys() - {best}:
        _drop(other / name)
    return _unified_tree(best / name, handed[best])


def _unified_tree(folder: Path, controllers: frozenset[str]) -> Tree:
    _enable(folder, controllers)
    able = {what for what in ("freeze", "kill") if (folder / f"cgroup.{what}").exists()}
    return Tree(str(folder), unified=True, controls=controllers | able)


def _joinable(folder: Path) -> bool:
    """Whether processes of this server may be moved to groups below `folder`: that is asked of their common parent."""
    return os.access(folder / "cgroup.procs", os.W_OK)


def _handed_down(folder: Path, missing: frozenset[str]) -> frozenset[str]:
    """Which of `missing` the groups below `folder` have now. A group with processes of its own cannot hand any down;
    where this process is the only one, it moves into a leaf."""
    wanted = _words(folder / "cgroup.controllers") & missing
    if not _enable(folder, wanted) and _alone(folder):
        leaf = folder / _LEAF
        if _made(leaf):
            write(str(leaf), "cgroup.procs", "0")
            _enable(folder, wanted)
    return _words(folder / "cgroup.subtree_control") & wanted


def _enable(folder: Path, controllers: frozenset[str]) -> bool:
    """Hand `controllers` down to the groups below `folder`; False where that is refused."""
    lacking = controllers - _words(folder / "cgroup.subtree_control")
    try:
        if lacking:
            write(str(folder), "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(lacking)))
    except OSError:
        return False
    return True


def _alone(folder: Path) -> bool:
    """Whether nobody else is in the group."""
    return _words(folder / "cgroup.procs") <= {str(os.getpid())}


def _words(path: Path) -> frozenset[str]:
    return frozenset(path.read_text().split())


def _made(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(mode=0o755, exist_ok=True)
        return True
    return False


def _drop(folder: Path) -> None:
    """Take a folder away that is not wanted after all; one in use belongs to an earlier server and is left."""
    with suppress(OSError):
        folder.rmdir()


def _without_doubles(trees: list[Tree]) -> Iterator[Tree]:
    """Freezing by the unified tree makes that of version 1 superfluous."""
    freezes = False
    for tree in trees:
        if freezes and tree.controls == {"freeze"}:
            _drop(Path(tree.folder))
            continue
        freezes = freezes or "freeze" in tree.controls
        yield tree
