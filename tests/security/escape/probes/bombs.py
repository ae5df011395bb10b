"""Using up whatever there is."""

# ruff: noqa: PTH106, PTH108, PTH118, PTH123 what is probed are the system's own calls

import errno
import mmap
import os
import signal
import tempfile
import threading

from attempts import MEBIBYTE, outcome


def forks(most):
    """How many processes can be there at once, and what the next one meets with."""
    made = []
    try:
        while len(made) < most:
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            made.append(child)
        return [len(made), "done"]
    except OSError as error:
        return [len(made), errno.errorcode[error.errno]]
    finally:
        for child in made:
            os.kill(child, signal.SIGKILL)
        for child in made:
            os.waitpid(child, 0)


def fork_bomb(token):
    """Processes that do nothing but make more, each with `token` in its environment; never returns by itself."""
    os.environ["ESCAPE_TOKEN"] = token
    while True:
        outcome(os.fork)


def threads(most):
    """How many threads can be there at once."""
    end = threading.Event()
    made = []
    try:
        while len(made) < most:
            thread = threading.Thread(target=end.wait)
            thread.start()
            made.append(thread)
        return [len(made), "done"]
    except RuntimeError:
        return [len(made), "refused"]
    finally:
        end.set()
        for thread in made:
            thread.join()


def memory(mebibytes):
    """Take memory and use it."""
    kept = []
    while len(kept) < mebibytes:
        kept.append(b"x" * MEBIBYTE)
    return len(kept)


def memory_of_children(mebibytes):
    """Take memory in another process; how that one ends."""
    child = os.fork()
    if child == 0:
        memory(mebibytes)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def shared_memory_of_children(mebibytes):
    """Take memory that is mapped to be shared, without a file, in another process; how that one ends."""
    child = os.fork()
    if child == 0:
        shared = mmap.mmap(-1, mebibytes * MEBIBYTE)
        for place in range(0, len(shared), mmap.PAGESIZE):
            shared[place] = 1
        os._exit(0)
    return os.waitpid(child, 0)[1]


def fill(folder, mebibytes):
    """Write files until there is no room; the bytes that had room, and the error."""
    written = 0
    path = os.path.join(folder, "filling")
    try:
        with open(path, "wb", buffering=0) as file:
            while written < mebibytes * MEBIBYTE:
                written += file.write(bytes(MEBIBYTE))
        return [written, "done"]
    except OSError as error:
        return [written, errno.errorcode[error.errno]]
    finally:
        os.unlink(path)


def inodes(folder, most):
    """Make empty files until no more can be; how many, and the error."""
    made = 0
    inside = tempfile.mkdtemp(dir=folder)
    try:
        while made < most:
            os.close(os.open(os.path.join(inside, str(made)), os.O_CREAT | os.O_WRONLY))
            made += 1
        return [made, "done"]
    except OSError as error:
        return [made, errno.errorcode[error.errno]]
    finally:
        for number in range(made):
            os.unlink(os.path.join(inside, str(number)))
        os.rmdir(inside)


def open_files(most):
    """Open files until no more can be; how many are open then, and the error."""
    made = []
    try:
        while len(made) < most:
            made.append(os.open("/dev/null", os.O_RDONLY))
        return [len(made), "done"]
    except OSError as error:
        return [max(made) + 1, errno.errorcode[error.errno]]
    finally:
        for descriptor in made:
            os.close(descriptor)
