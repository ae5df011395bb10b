"""Reaching for the kernel: system calls, namespaces, devices, and the files by which it is told things."""

# ruff: noqa: PTH118 what is probed are the system's own calls

import ctypes
import errno
import fcntl
import os
import resource
import signal
import stat

from attempts import AARCH64, call, outcome


def forbidden_calls():
    """System calls that would change the machine, or open large parts of the kernel, each with harmless arguments."""
    zero = ctypes.create_string_buffer(4096)
    numbers = NUMBERS_AARCH64 if AARCH64 else NUMBERS_X86_64
    return {name: call(number, *ARGUMENTS.get(name, (zero, zero, 0, 0, 0))) for name, number in numbers.items()}


NUMBERS_X86_64 = {
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272, "bpf": 321,
    "userfaultfd": 323, "io_uring_setup": 425, "keyctl": 250, "add_key": 248, "request_key": 249,
    "perf_event_open": 298, "kexec_load": 246, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "open_by_handle_at": 304, "swapon": 167, "reboot": 169, "acct": 163, "quotactl": 179, "settimeofday": 164,
    "syslog": 103, "fsopen": 430, "open_tree": 428, "move_mount": 429, "mount_setattr": 442, "sethostname": 170,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438, "fanotify_init": 300,
    "iopl": 172, "ioperm": 173, "clone3": 435,
}  # fmt: skip
NUMBERS_AARCH64 = {
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "unshare": 97, "bpf": 280,
    "userfaultfd": 282, "io_uring_setup": 425, "keyctl": 219, "add_key": 217, "request_key": 218,
    "perf_event_open": 241, "kexec_load": 104, "init_module": 105, "finit_module": 273, "delete_module": 106,
    "open_by_handle_at": 265, "swapon": 224, "reboot": 142, "acct": 89, "quotactl": 60, "settimeofday": 170,
    "syslog": 116, "fsopen": 430, "open_tree": 428, "move_mount": 429, "mount_setattr": 442, "sethostname": 161,
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "pidfd_getfd": 438, "fanotify_init": 262,
    "clone3": 435,
}  # fmt: skip
ARGUMENTS = {
    "mount": (b"none", b"/tmp", b"tmpfs", 0, 0),
    "umount2": (b"/tmp", 2),
    "pivot_root": (b"/tmp", b"/tmp"),
    "chroot": (b"/tmp",),
    "reboot": (0, 0, 0, 0),
    "settimeofday": (0, 0),
    "syslog": (3, 0, 0),
    "unshare": (0x10000000,),
    "userfaultfd": (1,),
    "sethostname": (b"", 0),
    "iopl": (0,),
}


def new_namespaces():
    """Every kind of namespace, asked for by `unshare` and by `clone`."""
    unshare, clone = (97, 220) if AARCH64 else (272, 56)
    kinds = {"mnt": 17, "cgroup": 25, "uts": 26, "ipc": 27, "user": 28, "pid": 29, "net": 30}
    found = {name: [call(unshare, 1 << bit)] for name, bit in kinds.items()}
    for name, bit in kinds.items():
        found[name].append(call_in_child(clone, (1 << bit) | signal.SIGCHLD, 0, 0, 0, 0))
    return found


def sibling():
    """A child of this process's parent."""
    clone, clone_parent = 220 if AARCH64 else 56, 0x8000
    return call_in_child(clone, clone_parent | signal.SIGCHLD, 0, 0, 0, 0)


def call_in_child(*arguments):
    """A raw system call that may return twice."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, call(*arguments).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as answer:
        return answer.read().decode()


def enter_namespaces(process):
    """Enter the namespaces of another process by its files in /proc."""
    setns = 268 if AARCH64 else 308
    found = {}
    for name in ("mnt", "net", "pid", "user", "uts", "ipc", "cgroup"):
        path = f"/proc/{process}/ns/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            found[name] = errno.errorcode[error.errno]
            continue
        found[name] = call(setns, descriptor, 0)
        os.close(descriptor)
    return found


def make_devices():
    """Device nodes of memory and disks, in every folder that can be written to."""
    found = {}
    for folder in ("/tmp", "/dev/shm", "/dev"):
        for name, kind, number in [("mem", stat.S_IFCHR, (1, 1)), ("disk", stat.S_IFBLK, (8, 0))]:
            path = os.path.join(folder, "made-" + name)
            found[path] = outcome(lambda p=path, k=kind, n=number: os.mknod(p, k | 0o600, os.makedev(*n)))
    return found


def open_for_writing(paths):
    """What becomes of opening files of the kernel's for writing; nothing is written."""
    return {path: outcome(lambda path=path: os.close(os.open(path, os.O_WRONLY))) for path in paths}


def write(texts):
    """What becomes of writing to files that anybody may open, but not change: path to text."""

    def attempt(path, text):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    return {path: outcome(lambda path=path, text=text: attempt(path, text)) for path, text in texts.items()}


def raise_limits():
    """Raise every limit of resources that has a ceiling."""
    found = {}
    for name in ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_MEMLOCK"):
        number = getattr(resource, name)
        _, most = resource.getrlimit(number)
        higher = most + 1 if most != resource.RLIM_INFINITY else most
        try:
            resource.setrlimit(number, (higher, higher))
            found[name] = "done" if most != resource.RLIM_INFINITY else "unlimited"
        except (ValueError, OSError):
            found[name] = "refused"
    return found


def become_root():
    """Put on other users."""
    return [outcome(lambda: os.setuid(0)), outcome(lambda: os.setgid(0)), outcome(lambda: os.setgroups([0]))]


def type_into_terminal():
    """TIOCSTI on whatever terminal there is, a new one of our own included."""
    found = []
    for path in ("/dev/tty", "/dev/console", "/dev/ptmx", "/proc/1/fd/0"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            found.append(errno.errorcode[error.errno])
            continue
        found.append(outcome(lambda descriptor=descriptor: fcntl.ioctl(descriptor, 0x5412, b"x")))
        os.close(descriptor)
    return found
