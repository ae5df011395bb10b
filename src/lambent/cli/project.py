"""What `lambent deploy` is pointed at: a folder or a single file, with what its `function.toml` says of it."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from lambent.cli.failure import Exit, Failure
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "function.toml"
REQUIREMENTS: Final = "requirements.txt"
PYTHON_PIN: Final = ".python-version"

HANDLER_MODULES: Final = ("lambda_function", "app", "index", "main", "handler")
HANDLER_NAMES: Final = ("lambda_handler", "handler")

BOOTSTRAP: Final = "bootstrap"
"""The program of a function that brings its own runtime: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html"""

CUSTOM: Final = "provided."
"""How the names of the runtimes begin that start it."""

NEVER_PACKAGED: Final = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "__pycache__",
    "*.pyc",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".idea",
    ".vscode",
    ".DS_Store",
    PYTHON_PIN,
    FILE,
)

_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a function is to be; None leaves it as it is on the server. The names are those of `function.toml`."""

    name: str | None = None
    handler: str | None = None
    runtime: str | None = None
    role: str | None = None
    memory: Annotated[int, msgspec.Meta(ge=128, le=10_240)] | None = None
    """MB."""
    timeout: Annotated[int, msgspec.Meta(ge=1, le=900)] | None = None
    """Seconds."""
    description: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    variables: dict[str, str] | None = None
    """The function's environment variables."""
    durable: Annotated[int, msgspec.Meta(ge=1, le=limits.DURABLE_LIFE_S)] | None = None
    """Seconds that each of its durable executions may take; a function is durable from its creation on, or never."""
    url: Literal["public", "signed"] | None = None
    """Whether it has a function URL: one for everybody, or one for those who sign."""
    exclude: tuple[str, ...] = ()
    """Patterns of files that stay out of the package: `*.md`, `tests`, `data/raw`."""


ALLOWED: Final = {
    "name": "up to 64 letters, digits, - and _",
    "handler": "module.function, such as app.handler",
    "runtime": "a runtime such as python3.12 or provided.al2023",
    "role": "the ARN of a role",
    "memory": "megabytes from 128 to 10240",
    "timeout": "seconds from 1 to 900",
    "description": "up to 256 characters",
    "variables": "a table of strings",
    "durable": "seconds from 1 to 31622400, for a function that is new or durable already",
    "url": "public or signed",
    "exclude": "a list of patterns, such as tests or *.md",
}
"""What each setting of a function takes, in words for people."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A function's source on disk."""

    path: Path
    wanted: Wanted

    @property
    def name(self) -> str:
        """The function's name: given, or the folder's, or the file's. Raises Failure where that cannot be one."""
        name = self.wanted.name or (self.path.stem if self.path.is_file() else self.path.name)
        if not _NAME.fullmatch(name):
            raise Failure(
                f"{name!r} cannot be a function's name: it takes {ALLOWED['name']}; name it with --name", Exit.USAGE
            )
        return name

    @property
    def requirements(self) -> Path | None:
        """Its requirements file, if it has one."""
        path = self.path / REQUIREMENTS
        return path if path.is_file() else None

    @property
    def handler(self) -> str:
        """Its handler: given, or found in the code; a program of its own gets its own name. Raises Failure."""
        return self.wanted.handler or (BOOTSTRAP if self.custom else _find_handler(self.path))

    @property
    def custom(self) -> bool:
        """Whether it brings its own runtime: it asks for one, or it has a `bootstrap` and no module with a handler."""
        if self.wanted.runtime:
            return self.wanted.runtime.startswith(CUSTOM)
        return (self.path / BOOTSTRAP).is_file() and not _has_module(self.path)

    @property
    def pinned_runtime(self) -> str | None:
        """The runtime that the project asks for, in `function.toml`, by flag, or in `.python-version`."""
        if self.wanted.runtime:
            return self.wanted.runtime
        if self.custom:
            return None
        pin = (self.path if self.path.is_dir() else self.path.parent) / PYTHON_PIN
        if pin.is_file() and (found := re.match(r"(3\.\d+)", pin.read_text("utf-8").strip())):
            return f"python{found[1]}"
        return None

    def files(self) -> Iterator[tuple[str, Path]]:
        """What goes into the package, by its path there, in order. Raises Failure."""
        if self.path.is_file():
            yield self.path.name, self.path
            return
        yield from walk(self.path, (*NEVER_PACKAGED, *self.wanted.exclude))


def read(path: Path, flags: Wanted) -> Project:
    """The project at `path`; `flags` win over its `function.toml`. Raises Failure."""
    if not path.exists():
        raise Failure(f"{path}: no such file or folder", Exit.USAGE)
    if path.is_file() and path.suffix != ".py":
        raise Failure(f"{path}: a single file must be a Python module; give the folder instead", Exit.USAGE)
    path = path.resolve()
    wanted = _wanted(path / FILE) if path.is_dir() else Wanted()
    found = Project(path=path, wanted=merge(wanted, flags))
    if found.custom:
        _check_bootstrap(path / BOOTSTRAP)
    return found


def find(path: Path) -> list[Path]:
    """The functions at `path`: itself, or else its subfolders that look like functions. Raises Failure."""
    if path.is_file() or looks_like_function(path):
        return [path]
    if not path.is_dir():
        raise Failure(f"{path}: no such file or folder", Exit.USAGE)
    return [child for child in sorted(path.iterdir()) if child.is_dir() and looks_like_function(child)] or [path]


def looks_like_function(path: Path) -> bool:
    """Whether the folder has a `function.toml`, a module that usually holds a handler, or a program of its own."""
    return (path / FILE).is_file() or _has_module(path) or (path / BOOTSTRAP).is_file()


def _has_module(path: Path) -> bool:
    return any((path / f"{module}.py").is_file() for module in HANDLER_MODULES)


def _check_bootstrap(path: Path) -> None:
    # Where there is none, a layer may bring it.
    if path.is_file() and not path.stat().st_mode & 0o111:
        raise Failure(f"{path} cannot be executed: chmod +x {path}", Exit.USAGE)


def merge(base: Wanted, over: Wanted) -> Wanted:
    """`base` with what `over` says; their variables and patterns add up."""
    changes = {name: value for name in ALLOWED if (value := getattr(over, name)) not in (None, ())}
    if base.variables and over.variables:
        changes["variables"] = base.variables | over.variables
    changes["exclude"] = (*base.exclude, *over.exclude)
    return msgspec.structs.replace(base, **changes)


def walk(folder: Path, exclude: tuple[str, ...] = ()) -> Iterator[tuple[str, Path]]:
    """The files below `folder` by their path in it, sorted, without what a pattern of `exclude` matches."""
    yield from _walk(folder, "", exclude)


def _walk(folder: Path, prefix: str, exclude: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = prefix + entry.name
        if any(fnmatchcase(entry.name, pattern) or fnmatchcase(name, pattern.rstrip("/")) for pattern in exclude):
            continue
        if entry.is_dir():
            if entry.is_symlink():
                raise Failure(f"{entry} is a link to a folder; exclude it in {FILE} or replace it", Exit.USAGE)
            yield from _walk(entry, f"{name}/", exclude)
        elif entry.is_file():
            yield name, entry
        else:
            raise Failure(f"{entry} is not a regular file; exclude it in {FILE}", Exit.USAGE)


def _wanted(path: Path) -> Wanted:
    if not path.is_file():
        return Wanted()
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: not valid TOML: {error}", Exit.USAGE) from None
    for name in table:
        if name not in ALLOWED:
            raise Failure(f"{path}: nothing is called {name}; there are {', '.join(ALLOWED)}", Exit.USAGE)
    return converted(table, f"{path}: ")


def converted(table: dict[str, Any], origin: str) -> Wanted:
    """`table` as a typed value. Raises Failure with `origin` before the name of what is wrong."""
    for name, value in table.items():
        try:
            msgspec.convert({name: value}, Wanted)
        except msgspec.ValidationError:
            raise Failure(f"{origin}{name}: {value!r} is not allowed; it takes {ALLOWED[name]}", Exit.USAGE) from None
    return msgspec.convert(table, Wanted)


def _find_handler(path: Path) -> str:
    single = path.is_file()
    modules = (path.stem,) if single else HANDLER_MODULES
    folder = path.parent if single else path
    for module in modules:
        defined = _defined(folder / f"{module}.py")
        for name in HANDLER_NAMES:
            if name in defined:
                return f"{module}.{name}"
    looked = ", ".join(f"{module}.py" for module in modules)
    raise Failure(
        f"{path}: no handler found: no function called {' or '.join(HANDLER_NAMES)} in {looked}; name it with"
        f" --handler module.function or in {FILE}",
        Exit.USAGE,
    )


def _defined(path: Path) -> set[str]:
    """The names that a module defines at its top level; none where there is no such module."""
    if not path.is_file() or path.stat().st_size > limits.FUNCTION_ZIP_BYTES:
        return set()
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise Failure(f"{path}: not valid Python: {error}", Exit.USAGE) from None
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                names.update(alias.asname or alias.name for alias in aliases)
    return names
