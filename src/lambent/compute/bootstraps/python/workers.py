"""Several events at a time: a process for each, which speaks HTTP to the Runtime API as AWS's own client does.

The first process forks the workers before it has imported anything of the function, so each initialises for itself and
shares nothing but /tmp. It serves nothing itself: it answers for a worker that has died within an invocation, and
starts another in its place.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-python-runtime.html
"""

# mypy: ignore-errors
# ruff: noqa: F821, S112, SLF001 the client is put there by who loads this; no logging; posix instead of os

import _signal
import _socket
import mmap
import posix
import sys

try:
    import fcntl
except ImportError:  # log messages of more than one write may mix then
    fcntl = None

_API = "/2018-06-01/runtime"
_SLOT_BYTES = 128
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_NONCE = "Lambda-Runtime-Invocation-Id"
_RECEIVED_BYTES = 65536


class Board:
    """What every worker is at, seen by them all: whether it has asked for an event, and the name of its last, which is
    request id and nonce with a space between."""

    def __init__(self, workers):
        self._memory = mmap.mmap(-1, workers * _SLOT_BYTES)

    def asks(self, worker):
        self._write(worker, b"\1")

    def takes(self, worker, name):
        self._write(worker, b"\1" + name)

    def clear(self, worker):
        self._write(worker, b"")

    def read(self, worker):
        """Whether it has asked, and the name of its event; empty where it has none."""
        slot = self._memory[worker * _SLOT_BYTES : (worker + 1) * _SLOT_BYTES]
        return slot[0] == 1, slot[1:].rstrip(b"\0")

    def _write(self, worker, value):
        self._memory[worker * _SLOT_BYTES : (worker + 1) * _SLOT_BYTES] = value[:_SLOT_BYTES].ljust(_SLOT_BYTES, b"\0")


class Door:
    """A connection to the Runtime API, opened anew where it has ended."""

    def __init__(self):
        host, _, port = client.variable(b"AWS_LAMBDA_RUNTIME_API").rpartition(":")
        self._address = host, int(port)
        self._socket = None
        self._unread = b""

    def get(self, path):
        """The fields of the answer, names in lower case, and its body."""
        return self._exchange("GET %s HTTP/1.1\r\nHost: runtime\r\n\r\n" % path, b"")

    def post(self, path, body, kind=None, nonce=None):
        """The same; `kind` is the type of an error, `nonce` of the event that is answered."""
        fields = "".join("%s: %s\r\n" % each for each in ((_ERROR_TYPE, kind), (_NONCE, nonce)) if each[1] is not None)
        head = "POST %s HTTP/1.1\r\nHost: runtime\r\n%sContent-Length: %d\r\n\r\n" % (path, fields, len(body))
        return self._exchange(head, body)

    def _exchange(self, head, body):
        try:
            if self._socket is None:
                self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
                self._socket.connect(self._address)
            self._socket.sendall(head.encode("latin-1", "replace") + body)
            return self._answer()
        except OSError:
            posix._exit(0)  # the server is gone

    def _answer(self):
        while b"\r\n\r\n" not in self._unread:
            self._receive()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in lines}
        length = int(fields.get(b"content-length", b"0"))
        while len(self._unread) < length:
            self._receive()
        body, self._unread = self._unread[:length], self._unread[length:]
        return fields, body

    def _receive(self):
        received = self._socket.recv(_RECEIVED_BYTES)
        if not received:
            posix._exit(0)  # the server is gone
        self._unread += received


class WorkerWire:
    """One worker's end, in the shape of the client's `Wire`. What it logs goes the way of the first process."""

    def __init__(self, wire, board, worker, lock):
        self._wire = wire
        self._board = board
        self._worker = worker
        self._lock = lock
        self._door = Door()
        self._name = b""

    def next(self):
        """The next event: its head, as packets have it, and its body."""
        self._board.asks(self._worker)
        fields, body = self._door.get(_API + "/invocation/next")
        request_id = fields[b"lambda-runtime-aws-request-id"]
        self._name = request_id + b" " + fields[b"lambda-runtime-invocation-id"]
        self._board.takes(self._worker, self._name)
        names = (
            b"lambda-runtime-deadline-ms",
            b"lambda-runtime-invoked-function-arn",
            b"lambda-runtime-trace-id",
            b"lambda-runtime-aws-tenant-id",
            b"lambda-runtime-cognito-identity",
            b"lambda-runtime-client-context",
        )
        return b"\n".join([request_id, *(fields.get(name, b"") for name in names)]), body

    def answer(self, kind, body=b""):
        if posix.getpid() != client.runtime.process:
            posix._exit(0)  # a child that the function forked and let run on answers for nobody
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                continue  # the function has closed or replaced it
        if kind == b"F":
            self._door.post(_API + "/init/error", body, client.runtime.json.decode(body).get("errorType"))
        elif kind in b"RE":
            part = "response" if kind == b"R" else "error"
            _answer(self._door, self._name, part, body, None if kind == b"R" else "Unhandled")
            self._board.asks(self._worker)

    def log(self, text):
        if self._lock is None:
            self._wire.log(text)
            return
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            self._wire.log(text)
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)


def _answer(door, name, part, body, kind):
    request_id, _, nonce = name.decode().partition(" ")
    door.post("%s/invocation/%s/%s" % (_API, request_id, part), body, kind, nonce)


def enter(wire):
    """Start the workers, and return in each of them what it has for a wire. The first process ends with the last."""
    count = int(client.variable(b"AWS_LAMBDA_MAX_CONCURRENCY"))
    board = Board(count)
    lock = posix.memfd_create("lock") if fcntl is not None and hasattr(posix, "memfd_create") else None
    workers = {}
    missing = list(range(count))
    while True:
        for worker in missing:
            board.clear(worker)
            process = posix.fork()
            if not process:
                client.runtime.take_own()
                return WorkerWire(wire, board, worker, lock)
            workers[process] = worker
        missing = _lost(workers, board)


def _lost(workers, board):
    """Wait until a worker ends, which is to be replaced; none that has never asked for an event is."""
    process, status = posix.wait()
    worker = workers.pop(process, None)
    if worker is None:
        return []  # a child of a worker that has ended before it
    served, name = board.read(worker)
    if name:
        text = '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: %s Error: %s"}'
        body = text % (name.decode().partition(" ")[0], _ending(status))
        _answer(Door(), name, "error", body.encode(), "Runtime.ExitError")
    if not workers and not served:
        posix._exit(1)
    return [worker] if served else []


def _ending(status):
    """How a worker has ended, in the platform's words."""
    if posix.WIFSIGNALED(status):
        number = posix.WTERMSIG(status)
        return "Runtime exited with error: signal: %s" % (_signal.strsignal(number) or str(number)).lower()
    code = posix.WEXITSTATUS(status)
    if not code:
        return "Runtime exited without providing a reason"
    return "Runtime exited with error: exit status %d" % code
