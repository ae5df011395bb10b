"""The Python runtime client: runs inside the environment, imports the handler and answers events, one at a time.

It runs on Python 3.9 to 3.14 and imports only what the interpreter holds built in, not even `os`: what a function does
not ask for costs it nothing. What few functions need waits beside it: `logs.py`, `failures.py`, `workers.py`, ... A
zygote defines it before its forks know who they are, so it looks at nothing of its process until `main`.

Descriptors: 1 and 2 are one pipe for output, 3 is the channel (a packet socket), 4 is for runtimes that frame their
logs in AWS's own way, 5 the lifeline where there is one. The first packet in is a secret; every packet out, and every
frame within the output, starts with it, so that what the function itself writes to these descriptors means nothing.
Packets in: `sequence(4) body-length(4) head-length(2) head body`, the body continued in further packets.
Packets out: `secret(16) kind(1) sequence(4) body`; a lower-case kind is continued in the next packet.
Frames within the output: `secret(16) kind(1) length(2) body`.
"""

# mypy: ignore-errors
# ruff: noqa: RUF023, S110, S112, SLF001 AWS's order of slots, no contextlib, no logging, no os: see above

import _json
import builtins
import marshal
import posix
import sys
import time
from _thread import _count as other_threads
from _thread import allocate_lock

CHANNEL = 3
FRAMES = 4
LIFELINE = 5
PIPE_ATOMIC = 4096
# As in the server's kernel/limits.py, which is out of reach here:
PACKET = 65536
ANSWER_LIMIT = 6291556

LONG = 65536
"""Characters of a text from which on looking for each of `ESCAPED` is quicker than looking at each of its own."""
ESCAPED = ('"', "\\", "\n", "\x7f", *map(chr, range(10)), *map(chr, range(11, 32)))
"""What no encoder of JSON leaves as it is, in ASCII text; what is most frequent comes first."""
FIELDS = 64
"""An object of more fields than these is not looked through for long texts."""

own = []
"""The descriptors of this process that its forked children do not share."""

FILE = (lambda: 0).__code__.co_filename
HERE = __file__.rpartition("/")[0]


def variable(name, default=None):
    """An environment variable, without `os`."""
    value = posix.environ.get(name)
    return default if value is None else value.decode("utf-8", "surrogateescape")


def late(name):
    """A part of this client that most functions never need."""
    module = sys.modules.get("_lambent_" + name)
    if module is None:
        module = type(sys)("_lambent_" + name)
        module.client = sys.modules[__name__]
        with open(HERE + "/" + name + ".pyc", "rb") as file:
            code = marshal.loads(file.read()[16:])  # noqa: S302 written by the server for this interpreter
        exec(code, module.__dict__)  # noqa: S102 as above
        sys.modules[module.__name__] = module
    return module


class Fault(Exception):
    """An error that the runtime, not the function, names."""

    def __init__(self, kind, message, trace=()):
        Exception.__init__(self, message)
        self.kind = kind
        self.trace = trace


class Wire:
    """The channel, and the framed part of the output."""

    def __init__(self):
        self.secret = posix.read(CHANNEL, 16)
        self.output = posix.dup(1)  # the function may close or replace its own
        if self.output <= LIFELINE:  # there is no lifeline: its place is taken, and forked children close it
            self.output = posix.dup(1)
        own[:] = (CHANNEL, FRAMES, LIFELINE)
        self.sequence = b"\0\0\0\0"
        self._lock = allocate_lock()
        if len(self.secret) != 16:
            posix._exit(0)  # the server is gone

    def next(self):
        """The next event: its head and its body."""
        packet = self._read()
        self.sequence = packet[:4]
        length = int.from_bytes(packet[4:8], "big")
        start = 10 + int.from_bytes(packet[8:10], "big")
        head, body = packet[10:start], packet[start:]
        if len(body) < length:
            chunks, missing = [body], length - len(body)
            while missing > 0:
                chunks.append(self._read())
                missing -= len(chunks[-1])
            body = b"".join(chunks)
        return head, body

    def answer(self, kind, body=b""):
        """Send one message. What was printed before it is in the pipe by then; where other threads may print on, a mark
        says where it ends."""
        if posix.getpid() != runtime.process:
            posix._exit(0)  # a child that the function forked and let run on answers for nobody
        if len(body) > ANSWER_LIMIT:
            self.log(late("failures").too_large())
            kind, body = b"B", b""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                continue  # the function has closed or replaced it
        if other_threads():
            self._frame(b"M", self.sequence)
        room = PACKET - 21
        sent = 0
        while len(body) - sent > room:
            posix.write(CHANNEL, self.secret + kind.lower() + self.sequence + body[sent : sent + room])
            sent += room
        posix.write(CHANNEL, self.secret + kind + self.sequence + (body[sent:] if sent else body))

    def log(self, text):
        """Write `text` to the log as one event, whatever lines it has."""
        body = text.encode()  # which fails as in AWS's client where there are lone surrogates
        room = PIPE_ATOMIC - 19
        sent = 0
        with self._lock:
            while len(body) - sent > room:
                self._frame(b"l", body[sent : sent + room])
                sent += room
            self._frame(b"L", body[sent:])

    def _read(self):
        packet = posix.read(CHANNEL, PACKET)
        if not packet:
            posix._exit(0)  # the server is gone
        return packet

    def _frame(self, kind, body):
        frame = self.secret + kind + len(body).to_bytes(2, "big") + body
        try:
            posix.write(self.output, frame)
        except BlockingIOError:  # the function has made its output non-blocking
            posix.set_blocking(self.output, True)
            posix.write(self.output, frame)


class Json:
    """JSON by the interpreter's own C code, without the json package and the regular expressions that it imports."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = None  # NaN and the infinities are no JSON on the way in

    def __init__(self, ascii_only):
        self.ascii_only = ascii_only
        self.text = _json.encode_basestring_ascii if ascii_only else _json.encode_basestring
        self._scan = _json.make_scanner(self)
        self._encode = _json.make_encoder(None, None, self.text, None, ": ", ", ", False, False, True)

    def decode(self, body):
        try:
            text = body.decode().strip(" \t\n\r")
            if len(text) > LONG and text[0] == '"' and text.find('"', 1) == len(text) - 1 and "\\" not in text:
                return text[1:-1]  # the server lets no event through that is no JSON, so nothing else can be in it
            value, end = self._scan(text, 0)
            if end == len(text):
                return value
        except Exception:
            pass  # the slow way below names what is wrong
        return late("values").decode(body)

    def encode(self, value):
        """As AWS's client does. What consists of plain values goes the short way; marshal refuses all else, subclasses
        included, faster than a look at every value could."""
        try:
            if len(marshal.dumps(value)) < LONG:
                return "".join(self._encode(value, 0))
            return self._encode_long(value)
        except Exception:
            return late("values").encode(value, self)

    def _encode_long(self, value):
        """The same for a value of plain ones. Answers grow long by long texts, alone or in the fields of an object: one
        that holds nothing to escape takes a fifth of the time so."""
        if type(value) is str:
            return self._encode_text(value)
        if type(value) is dict and len(value) <= FIELDS and all(type(name) is str for name in value):
            fields = []
            for name, item in value.items():
                text = self._encode_text(item) if type(item) is str else "".join(self._encode(item, 0))
                fields += (", ", self.text(name), ": ", text)
            return "".join(["{", *fields[1:], "}"])
        return "".join(self._encode(value, 0))

    def _encode_text(self, text):
        if len(text) > LONG and text.isascii() and not any(each in text for each in ESCAPED):
            return "".join(('"', text, '"'))
        return self.text(text)


def _filled(thing, values):
    for name in thing.__slots__:
        setattr(thing, name, values.get(name))
    return thing


def _shown(thing, names):
    return type(thing).__name__ + "([" + ",".join(name + "=" + str(getattr(thing, name)) for name in names) + "])"


class CognitoIdentity:
    """`context.identity`."""

    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]

    def __repr__(self):
        return _shown(self, self.__slots__)


class Client:
    """`context.client_context.client`."""

    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]

    def __repr__(self):
        return _shown(self, self.__slots__)


class ClientContext:
    """`context.client_context`."""

    __slots__ = ["custom", "env", "client"]

    def __repr__(self):
        return _shown(self, self.__slots__)


class LambdaContext:
    """The second argument of a handler: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(self, request_id, deadline_ms, arn, client_context, cognito_identity, tenant_id):
        self.aws_request_id = request_id
        self.log_group_name = runtime.log_group
        self.log_stream_name = runtime.log_stream
        self.function_name = runtime.name
        self.memory_limit_in_mb = runtime.memory
        self.function_version = runtime.version
        self.invoked_function_arn = arn
        self.tenant_id = tenant_id
        self._epoch_deadline_time_in_ms = deadline_ms
        self._w3c_fields = {}
        if isinstance(client_context, dict):
            trace = client_context.pop("w3c", None)
            if isinstance(trace, dict):
                names = ("traceparent", "tracestate", "baggage")
                self._w3c_fields = {name: trace[name] for name in names if isinstance(trace.get(name), str)}
        self.client_context = None
        if client_context is not None:
            self.client_context = _filled(ClientContext(), client_context)
            if self.client_context.client is not None:
                self.client_context.client = _filled(Client(), self.client_context.client)
        self.identity = identity = CognitoIdentity()
        cognito_identity = cognito_identity or {}
        identity.cognito_identity_id = cognito_identity.get("cognitoIdentityId")
        identity.cognito_identity_pool_id = cognito_identity.get("cognitoIdentityPoolId")

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def w3c(self):
        return dict(self._w3c_fields)

    def log(self, message):
        runtime.wire.log(str(message))

    def __repr__(self):
        names = "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb function_version "
        names += "invoked_function_arn client_context identity tenant_id"
        return _shown(self, names.split())


class LoggingHook:
    """Sets AWS's log handler up when, and only if, the function imports logging."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._extend(spec.loader)
                return spec
        return None

    def _extend(self, loader):
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            late("logs").set_up(module)

        loader.exec_module = exec_module


class Runtime:
    """The loop from event to answer."""

    def __init__(self, wire):
        self.wire = wire
        self.request_id = None
        self.tenant_id = None
        self.name = variable(b"AWS_LAMBDA_FUNCTION_NAME")
        self.version = variable(b"AWS_LAMBDA_FUNCTION_VERSION")
        self.memory = variable(b"AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group = variable(b"AWS_LAMBDA_LOG_GROUP_NAME")
        self.take_own()
        self.json_logs = variable(b"AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        execution = variable(b"AWS_EXECUTION_ENV", "")
        self.json = Json(
            ascii_only=execution in ("AWS_Lambda_python3.9", "AWS_Lambda_python3.10", "AWS_Lambda_python3.11")
        )
        self._trace = None

    def take_own(self):
        """Take up what no other process has."""
        self.process = posix.getpid()
        self.log_stream = variable(b"AWS_LAMBDA_LOG_STREAM_NAME")

    def run(self):
        if variable(b"AWS_LAMBDA_INITIALIZATION_TYPE") == "lambda-managed-instances":
            self.wire = late("workers").enter(self.wire)
        try:
            handler = self._load(variable(b"_HANDLER", ""))
        except Exception:
            self.wire.answer(b"F", late("failures").report(sys.exc_info()).encode())
            sys.exit(1)
        if variable(b"AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            late("snapshots").take(globals().get("parking"))
        self.wire.answer(b"Y")
        while True:
            head, body = self.wire.next()
            self.serve(handler, head, body)

    def _load(self, handler):
        module, dot, name = handler.rpartition(".")
        if not dot:
            problem = "not enough values to unpack (expected 2, got 1)"
            raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (handler, problem))
        if module.split(".")[0] in sys.builtin_module_names:
            problem = "Cannot use built-in module %s as a handler module" % module
            raise Fault("Runtime.BuiltInModuleConflict", problem)
        path = module.replace("/", ".")
        load = sys.modules["_frozen_importlib"]._gcd_import
        if path.startswith("."):
            from importlib import import_module as load  # AWS's client imports by it; it refuses what is relative
        try:
            loaded = load(path)
        except (ImportError, SyntaxError) as error:
            raise late("failures").unloadable(module, error) from None
        try:
            return getattr(loaded, name)
        except AttributeError:
            raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (name, module)) from None

    def serve(self, handler, head, body):
        """Let the function answer one event."""
        request_id, deadline, arn, trace, tenant, identity, client_context = head.decode(
            "utf-8", "surrogateescape"
        ).split("\n", 6)
        self.request_id = request_id
        self.tenant_id = tenant or None
        if trace != self._trace:
            self._set_trace(trace)
        try:
            known = self._known(client_context, "Client Context"), self._known(identity, "Cognito Identity")
            context = LambdaContext(request_id, int(deadline), arn, *known, self.tenant_id)
            answer = handler(self._event(body), context)
            kind = b"R"
            if not isinstance(answer, bytes):
                answer = self._text(answer)
        except Exception:
            kind = b"E"
            answer = late("failures").report(sys.exc_info(), request_id)
        self.wire.answer(kind, answer if isinstance(answer, bytes) else answer.encode())

    def _event(self, body):
        try:
            return self.json.decode(body)
        except Exception as error:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from None

    def _known(self, text, name):
        if not text:
            return None
        try:
            return self.json.decode(text.encode("utf-8", "surrogateescape"))
        except Exception as error:
            problem = "Unable to parse %s JSON: %s" % (name, error)
            raise Fault("Runtime.LambdaContextUnmarshalError", problem) from None

    def _text(self, answer):
        try:
            return self.json.encode(answer)
        except Exception as error:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from None

    def _set_trace(self, trace):
        self._trace = trace
        os = sys.modules.get("os")
        if os is None:  # it will take its environment from posix when it is imported
            posix.environ[b"_X_AMZN_TRACE_ID"] = trace.encode()
            posix.putenv(b"_X_AMZN_TRACE_ID", trace.encode())
        elif trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)


def _settle():
    """Make the process what a function expects: its folder, its path, and no descriptors but its own."""
    for number in posix.listdir("/proc/self/fd") if sys.platform == "linux" else ():
        if int(number) > LIFELINE:
            try:
                posix.close(int(number))
            except OSError:
                continue  # the listing's own
    for number in (CHANNEL, FRAMES, LIFELINE):
        try:
            posix.set_inheritable(number, False)
        except OSError:
            continue  # not every sandbox needs a lifeline
    posix.register_at_fork(after_in_child=_disown)
    posix.umask(0o022)
    root = variable(b"LAMBDA_TASK_ROOT")
    runtime = variable(b"LAMBDA_RUNTIME_DIR")
    posix.chdir(root)
    others = (entry for entry in sys.path if entry not in (HERE, runtime))
    sys.path[:] = [root, *_layers(root), *others, runtime]
    sys.argv = [FILE]
    builtins.exit = builtins.quit = sys.exit  # site gives these; what else it does, this client does or AWS has not


def _layers(root):
    """The folders of the layers that modules come from; beside the function where there is no root of our own."""
    opt = root[: -len("task")] + "opt" if root != "/var/task" else "/opt"
    for folder in (opt + "/python/lib/python%d.%d/site-packages" % sys.version_info[:2], opt + "/python"):
        try:
            posix.stat(folder)
        except OSError:
            continue  # a place that is not there would cost every import a look
        yield folder


def restored():
    """In a process that was restored from a snapshot: take up what is its own."""
    runtime.take_own()
    posix.close(runtime.wire.output)
    runtime.wire = Wire()


def _disown():
    """In a forked child: it shares nothing with the server but the output."""
    while own:  # its own children have nothing to close: the numbers may have become those of other files
        try:
            posix.close(own.pop())
        except OSError:
            continue  # the function has closed it


def main():
    """Be the runtime of this process."""
    global runtime  # noqa: PLW0603 one for each process, and there is none before
    _settle()
    runtime = Runtime(Wire())
    if "logging" in sys.modules:  # the process is a fork of one that has imported it
        late("logs").set_up(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, LoggingHook())
    runtime.run()


if vars(sys.modules["__main__"]) is globals():  # the program of its process, and not defined ahead for forks
    main()
