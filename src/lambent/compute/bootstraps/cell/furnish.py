"""Builds the root that every cell of an image sees, in a mount namespace of its own, and becomes the zygote there.

Started by the server with its own interpreter. Descriptor 3 is the zygote's control socket; its first packet says, as
JSON, what to build. Nothing of it is ever to be seen from outside, and it is gone with the last process that is inside.
"""

# mypy: ignore-errors
# ruff: noqa: S108, S606 a mount point in a namespace of our own; the arguments are the server's

import json
import os
import signal
import socket
import sys

import calls

CONTROL = 3
PACKET = 1 << 18
SITE = "/tmp"  # every machine has it, and it holds nothing that is needed once the sources are open


def enter_namespaces(user, group):
    """Leave the host's mounts; where a user is given, become the root of a user namespace that holds only them, and of
    the process namespaces of the cells."""
    if user is None:
        calls.unshare(calls.CLONE_NEWNS)
    else:
        calls.unshare(calls.CLONE_NEWUSER | calls.CLONE_NEWNS | calls.CLONE_NEWPID)
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", "0 %d 1" % user)
        write("/proc/self/gid_map", "0 %d 1" % group)
        follow(os.fork())
    calls.mount(None, "/", flags=calls.MS_REC | calls.MS_PRIVATE)


def follow(process):
    """Go on as the child, the first process of the new namespace. The parent, which stays outside, ends with it."""
    if process == 0:
        calls.die_with_parent(signal.SIGKILL)
        return
    os.close(CONTROL)
    _, status = os.waitpid(process, 0)
    os._exit(abs(os.waitstatus_to_exitcode(status)))


def write(path, text):
    """Make a file of `text`, or tell it to one of the kernel's."""
    with open(path, "w") as file:
        file.write(text)


def open_sources(view):
    """Hold on to everything that is shown: the root is built over a folder that may hide some of it."""
    sources = [show["source"] for show in view["shown"]] + [source for source, _ in view["copied"]]
    return {source: "/proc/self/fd/%d" % os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources}


def build(view):
    """Assemble the root."""
    sources = open_sources(view)
    hidden = SITE + view["hidden"]
    mount_memory(SITE, view["size"])
    os.mkdir(hidden)
    mount_memory(hidden, view["size"])  # a mount of its own, so that it can be taken away
    for folder in view["folders"]:
        os.makedirs(SITE + folder, 0o755, exist_ok=True)
    for path, text in view["texts"].items():
        write(SITE + path, text)
    for source, path in view["copied"]:
        with open(sources[source], "rb") as original, open(SITE + path, "wb") as copy:
            copy.write(original.read())
    for path, target in view["links"].items():
        os.symlink(target, SITE + path)
    for show in view["shown"]:
        put(sources[show["source"]], SITE + show["target"], show["devices"], show["writable"])
    # The processes of the host, hidden from guests: a kernel lets only those mount /proc anew who see all of it.
    calls.mount("/proc", SITE + view["processes"], flags=calls.MS_BIND | calls.MS_REC)
    calls.pivot(SITE)
    calls.restrict("/", below=False)


def mount_memory(target, size):
    """A file system in memory, for `size` bytes."""
    calls.mount("lambent", target, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, "mode=755,size=%d" % size)


def put(source, target, devices, writable):
    """Show `source` at `target`, which is made."""
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        write(target, "")
    calls.show(source, target, devices, writable)


def main():
    """Build, and become the zygote; what does not work is told on the control socket."""
    calls.close_from(CONTROL + 1)  # the server may have been started with descriptors that all its children inherit
    control = socket.socket(fileno=CONTROL)
    packet = control.recv(PACKET)
    if not packet:
        sys.exit(0)  # the server is gone
    order = json.loads(packet)
    os.umask(0o022)
    try:
        enter_namespaces(order["user"], order["group"])
        build(order["view"])
        os.execve(order["command"][0], order["command"], order["variables"])
    except OSError as error:
        control.send(b"F" + str(error).encode())
        sys.exit(1)


if __name__ == "__main__":
    main()
