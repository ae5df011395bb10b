"""Fetch the AWS protocol test cases that botocore's source distribution carries into `.cache`.

They are not copied into the repository. The version and the checksums are those of `requirements/run.lock`, so the
cases are always those of the models that are installed; pip finds the registry as it is configured to.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "run.lock"
CASES = "tests/unit/protocols"


def main() -> None:
    """Fetch the cases unless they are there."""
    requirement, version = locked()
    target = ROOT / ".cache" / f"botocore-{version}" / "protocols"
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        archive = download(requirement, Path(folder))
        unpack(archive, Path(folder) / "protocols")
        (Path(folder) / "protocols").rename(target)
    print(f"Fetched the protocol cases of botocore {version} into {target.relative_to(ROOT)}")


def locked() -> tuple[str, str]:
    """The locked requirement of botocore with its checksums, and its version."""
    found = re.search(r"^botocore==(\S+) \\\n(?:    --hash=\S+(?: \\)?\n)+", LOCK.read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"{LOCK} does not pin botocore with checksums")
    return found[0], found[1]


def download(requirement: str, folder: Path) -> Path:
    """The source distribution, its checksum verified by pip."""
    wanted = folder / "requirement.txt"
    wanted.write_text(requirement)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "-q",
        "download",
        "--no-deps",
        "--require-hashes",
    ]
    subprocess.run([*pip, "--no-binary", "botocore", "-r", wanted, "-d", folder], check=True)
    return next(folder.glob("botocore-*.tar.gz"))


def unpack(archive: Path, target: Path) -> None:
    """Write the case files of `archive`, and nothing else of it, below `target`."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member)
            if content is not None and path.is_relative_to(CASES) and ".." not in path.parts:
                file = target / path.relative_to(CASES)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content.read())


if __name__ == "__main__":
    main()
