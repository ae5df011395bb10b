"""The calls of Linux that Python does not offer, through the C library that the interpreter has loaded already."""

# mypy: ignore-errors

import ctypes
import errno
import os

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_RDONLY, _NOSUID, _NODEV, _IDMAP = 1, 2, 4, 0x0010_0000  # of mount_setattr
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
_CAPABILITY_VERSION = 0x2008_0522
_CAPABILITIES = 64
_SOCK_FILTER_BYTES = 8

# These have the same number on every architecture but seccomp's.
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_CLOSE_RANGE = 436
_MOUNT_SETATTR = 442
_SECCOMP = {"x86_64": 317, "aarch64": 277}

_SIGNAL_SET_BYTES = 128
_SA_NOCLDSTOP = 1
_ACTION_FLAGS = 1 + _SIGNAL_SET_BYTES // 8
"""Where they are in C's `struct sigaction`, in words: a handler, a set of signals, the flags, a pointer."""
_EVERY_DESCRIPTOR = 0x7FFF_FFFF
_SFD_CLOEXEC = 0o2000000

# Made once, in the zygote: making a type costs each of its forks more than the call that it is for.
_Attributes = ctypes.c_uint64 * 4
_CapabilityHeader = ctypes.c_uint32 * 2
_CapabilitySets = ctypes.c_uint32 * 6
_SignalSet = ctypes.c_uint64 * (_SIGNAL_SET_BYTES // 8)
_Action = ctypes.c_uint64 * (_ACTION_FLAGS + 2)

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, function, arguments):
    if result == -1:
        number = ctypes.get_errno()
        shown = ", ".join(str(value) for value in arguments[:3])
        raise OSError(number, os.strerror(number), "%s(%s)" % (function.__name__, shown))
    return result


def _function(name):
    """Without the types of its arguments, which would cost each fork more than the call does. So arguments are numbers
    that an int holds, bytes, arrays and None; a number is extended to the size of a register, as the calls want it."""
    function = getattr(_libc, name)
    function.errcheck = _checked
    return function


_mount = _function("mount")
_umount = _function("umount2")
_pivot_root = _function("pivot_root")
_prctl = _function("prctl")
_capset = _function("capset")
_sigaction = _function("sigaction")
_signalfd = _function("signalfd")
_syscall = _function("syscall")
_fork = ctypes.PyDLL(None).fork  # with the interpreter's lock held: it is the child's, too
unshare = _function("unshare")
setns = _function("setns")


def mount(source, target, kind=None, flags=0, data=None):
    """mount(2) with texts or bytes; None stands for what a call does not need."""
    _mount(_bytes(source), _bytes(target), _bytes(kind), flags, _bytes(data))


def _bytes(text):
    return text if text is None or isinstance(text, bytes) else os.fsencode(text)


def detach(target):
    """Take a mount and everything below it out of sight, though it may be in use."""
    _umount(_bytes(target), MNT_DETACH)


def restrict(target, devices=False, below=True, writable=False):
    """Make a mount, and those `below` it, without set-user-id; without devices, and read-only, unless it is wanted
    otherwise. It only ever takes rights away, so that it may be done to mounts of the host in a user namespace, too."""
    attributes = (0 if writable else _RDONLY) | _NOSUID | (0 if devices else _NODEV)
    values = _Attributes(attributes)
    _syscall(_MOUNT_SETATTR, _AT_FDCWD, _bytes(target), _AT_RECURSIVE if below else 0, values, ctypes.sizeof(values))


def show(source, target, devices=False, writable=False):
    """Bind `source` on `target`, restricted."""
    mount(source, target, flags=MS_BIND | MS_REC)
    restrict(target, devices, writable=writable)


def show_mapped(source, target, users):
    """Bind `source` on `target` for reading and writing. Who its files belong to is read, there, as the user namespace
    with the descriptor `users` says, and so is whom new ones belong to. Linux allows it before a mount is in place
    only, and where its file system knows how."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE
    tree = _syscall(_OPEN_TREE, _AT_FDCWD, _bytes(source), flags)
    values = _Attributes(_NOSUID | _NODEV | _IDMAP, 0, 0, users)
    _syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, values, ctypes.sizeof(values))
    _syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, _bytes(target), _MOVE_MOUNT_F_EMPTY_PATH)
    os.close(tree)


def pivot(root):
    """Make the mount `root` the root of this mount namespace, and let go of the old one."""
    os.chdir(root)
    _pivot_root(b".", b".")
    detach(".")
    os.chdir("/")


def die_with_parent(signal):
    """Have the kernel send `signal` when the process that forked this one is gone."""
    _prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)


def be_inspectable(wanted):
    """Whether processes of the same user may look into this one."""
    _prctl(_PR_SET_DUMPABLE, 1 if wanted else 0, 0, 0, 0)


def bound_capabilities():
    """Take every capability out of reach of whatever this process or its descendants ever execute."""
    for capability in range(_CAPABILITIES):
        try:
            _prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:  # beyond those that this kernel knows
                raise
            return


class Capabilities:
    """A set of them, made ready before the fork that will keep no other."""

    def __init__(self, *kept):
        low = sum(1 << number for number in kept if number < 32)
        high = sum(1 << (number - 32) for number in kept if number >= 32)
        self._header = _CapabilityHeader(_CAPABILITY_VERSION, 0)
        self._sets = _CapabilitySets(low, low, 0, high, high, 0)

    def keep(self):
        """Give up every capability but these."""
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        _capset(self._header, self._sets)


NO_CAPABILITIES = Capabilities()


def keep_through_user_change(wanted):
    """Whether the capabilities of this process survive when it puts on another user; they have to be raised again."""
    _prctl(_PR_SET_KEEPCAPS, 1 if wanted else 0, 0, 0, 0)


def gain_nothing():
    """No program executed from here on gains rights by its file."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


_Programs = _Program * 1


class Filter:
    """A seccomp program, an array of sock_filter, ready to be installed."""

    def __init__(self, code):
        self._program = _Programs((len(code) // _SOCK_FILTER_BYTES, code))

    def install(self):
        """Hold this process and its descendants to it."""
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._program, 0, 0)

    def listen(self):
        """Install it, and return the descriptor on which its notifications arrive."""
        number = _SECCOMP[os.uname().machine]
        return _syscall(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_NEW_LISTENER, self._program, 0, 0)


def fork():
    """Fork without what Python and its modules do at forks: for a child that only forks again."""
    process = _fork()
    if process < 0:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return process


def close_from(first):
    """Close every descriptor from `first` up."""
    _syscall(_CLOSE_RANGE, first, _EVERY_DESCRIPTOR, 0, 0, 0)


def open_signal(number):
    """A descriptor that is readable when the signal, which must be blocked, has arrived."""
    return _signalfd(-1, _SignalSet(1 << (number - 1)), _SFD_CLOEXEC)


def hear_of_ends_only(number):
    """Have the signal that tells of children, which is to do what it does by default, sent when one ends, and not each
    time one is stopped or goes on."""
    action = _Action()
    action[_ACTION_FLAGS] = _SA_NOCLDSTOP
    _sigaction(number, action, None)
