"""File systems of a cell: folders of the machine, bound where the function wants them, for reading and writing.

All cells that show a folder are to be able to read and change what any of them has written, as if they came by one
access point of EFS, which has one user whoever comes. Without root all cells are the same user to the kernel. As root
each is another; there the mount itself takes the cell's user for the one whom the folder belongs to.
"""

# mypy: ignore-errors

import os

import calls


def show(plan, identity, words):
    """Bind each of the folders; `words` are where it is and where it is wanted, by turns. Raises OSError."""
    top, options = plan.mounted
    calls.mount("lambent", top, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, options)
    for source, target in zip(words[::2], words[1::2]):  # noqa: B905 Python 3.9 is served, too
        os.mkdir(target, 0o755)
        if plan.nested:
            calls.show(source, target, writable=True)
        else:
            _show_as_owner(source, target, identity)
    calls.restrict(top, below=False)


def _show_as_owner(source, target, identity):
    """The cell's user is the folder's owner. Root's files are nobody's to make: one of them with the set-user-id bit
    would be a way to become root, for whoever can execute it on the host."""
    found = os.stat(source)
    if not (found.st_uid and found.st_gid):
        raise OSError("the folder of a file system belongs to root: give it to another user and group")
    users = _namespace((found.st_uid, found.st_gid), identity)
    calls.show_mapped(source, target, users)
    os.close(users)


def _namespace(there, here):
    """A user namespace, as a descriptor, by which the user and group `there` on the disk are `here` in the kernel. It
    needs a process in it for as long as it is made."""
    ready, tell_ready = os.pipe()
    stay, let_go = os.pipe()
    child = calls.fork()
    if child == 0:
        _be_in_it(tell_ready, stay, let_go)
    os.close(tell_ready)
    os.close(stay)
    try:
        if not os.read(ready, 1):
            raise OSError("no user namespace can be made")
        for name, inside, outside in zip(("uid_map", "gid_map"), there, here):  # noqa: B905 as above
            with open("/proc/%d/%s" % (child, name), "w") as table:
                table.write("%d %d 1" % (inside, outside))
        return os.open("/proc/%d/ns/user" % child, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.close(let_go)
        os.waitpid(child, 0)


def _be_in_it(tell_ready, stay, let_go):
    """The child's part. Never returns."""
    try:
        os.close(let_go)
        calls.unshare(calls.CLONE_NEWUSER)
        calls.be_inspectable(True)  # else the parent may not look into /proc for it
        os.write(tell_ready, b"1")
        os.read(stay, 1)
    finally:
        os._exit(0)
