"""Reaching for files that are somebody else's, and places where nothing may be written."""

# ruff: noqa: PTH101, PTH108, PTH113, PTH116, PTH118, PTH123, PTH208, PTH211 what is probed are the system's own calls

import errno
import os
import stat
import subprocess
import tempfile

from attempts import MEBIBYTE, outcome, read
from processes import status


def listing(paths):
    """The names in folders, or why not."""
    found = {}
    for path in paths:
        try:
            found[path] = sorted(os.listdir(path))
        except OSError as error:
            found[path] = errno.errorcode[error.errno]
    return found


def files_with(needle, roots):
    """The readable files below `roots` that contain `needle`, /proc with what other processes are included."""
    wanted = needle.encode()
    return [path for path in walk(roots) if contains(path, wanted)]


def walk(roots):
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                yield os.path.join(folder, name)


def contains(path, wanted):
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return wanted in file.read(MEBIBYTE)
    except (OSError, ValueError):
        return False


def writable_folders(folders):
    """Those of `folders` in which a file can be made."""
    return [folder for folder in folders if takes_file(os.path.join(folder, "planted"))]


def takes_file(path):
    if outcome(lambda: os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))) == "done":
        os.unlink(path)
        return True
    return False


def writable(roots):
    """The folders below `roots` in which a file can be made, and the files that can be opened for writing."""
    found = []
    for root in roots:
        for folder, _, names in os.walk(root):
            found += writable_folders([folder])
            found += [path for path in (os.path.join(folder, name) for name in names) if opens_for_writing(path)]
    return found


def opens_for_writing(path):
    return os.path.isfile(path) and outcome(lambda: os.close(os.open(path, os.O_WRONLY))) == "done"


def mounts():
    """Mount point, options and kind of every mount."""
    with open("/proc/self/mountinfo") as table:
        return [[line.split()[4], line.split()[5], line.split(" - ")[1].split()[0]] for line in table]


def make_links(targets):
    """What is behind symbolic and hard links that lead out."""
    found = {}
    folder = tempfile.mkdtemp()
    for number, target in enumerate(targets):
        path = os.path.join(folder, str(number))
        os.symlink(target, path)
        found[target] = [read([path])[path], outcome(lambda path=path, target=target: os.link(target, path + "h"))]
    return found


def setuid_programs():
    """What programs with the setuid bit give: those that are here, and one made here."""
    found = [path for path in walk(["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/var/task"]) if is_setuid(path)]
    tried = {path: identity_of([path, "--version"]) for path in found}
    made = os.path.join(tempfile.mkdtemp(), "made")
    with open(made, "wb") as copy, open("/usr/bin/id", "rb") as original:
        copy.write(original.read())
    return {"found": found, "tried": tried, "chmod": outcome(lambda: os.chmod(made, 0o6755)), "made": run([made, "-u"])}


def is_setuid(path):
    try:
        return bool(os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID))
    except OSError:
        return False


def identity_of(command):
    """The effective user and capabilities that a program runs with."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        return errno.errorcode[error.errno]
    try:
        return [status(child.pid).get("Uid"), status(child.pid).get("CapEff")]
    except OSError:
        return "gone"
    finally:
        child.kill()
        child.communicate()


def run(command):
    """The exit code and the output of a command."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False
        )
    except OSError as error:
        return [errno.errorcode[error.errno], ""]
    return [done.returncode, done.stdout.decode("latin-1").strip()]
