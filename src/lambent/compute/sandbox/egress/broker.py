"""The broker: makes connections for environments whose own network leads nowhere.

What an environment's threads ask for is looked at on a thread that serves this environment only. Looking means to hold
descriptors and to wait for tasks that the function controls: it can take as long as it likes, at its own expense. The
event loop waits for connections to come about.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lambent.compute.sandbox.egress import addresses, connections, datagrams, imitation, notifications, programs, routes
from lambent.compute.sandbox.egress.connections import Ports
from lambent.compute.sandbox.egress.datagrams import Flows
from lambent.compute.sandbox.egress.names import Names, Servers
from lambent.compute.sandbox.egress.notifications import Notifications, State, borrow
from lambent.compute.sandbox.egress.policy import Border
from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from lambent.compute.sandbox.egress.addresses import Destination
    from lambent.compute.sandbox.egress.notifications import Notification
    from lambent.compute.sandbox.egress.policy import Address, Policy
    from lambent.kernel.clock import Clock, Timer
    from lambent.kernel.ids import Ids
    from lambent.kernel.tasks import Supervisor

_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})
_TCP = (socket.SOCK_STREAM, socket.IPPROTO_TCP)
_UDP = (socket.SOCK_DGRAM, socket.IPPROTO_UDP)
_HIGHEST_DESCRIPTOR = (1 << 31) - 1
_KEY_BYTES = 32

T = TypeVar("T")


class Egress:
    """Outbound connections for every environment, by one policy.

    `leaves` tells whether an address is another machine's, `resolvers` is the file that lists name servers.
    """

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        ids: Ids,
        tasks: Supervisor,
        *,
        leaves: Callable[[Address], bool] = routes.leaves,
        resolvers: Path = Path("/etc/resolv.conf"),
    ) -> None:
        self.border = Border(policy, leaves)
        self.clock = clock
        self.tasks = tasks
        self.ports = Ports(ids.bytes(_KEY_BYTES))
        self.servers = Servers(resolvers)
        self.guarded = connections.guards()
        """Whether sockets that are handed out hold themselves to their destination. Where they cannot, no call of a
        function's that could lead one astray is let through: what is harmless is done in its stead."""
        self.under_way = 0
        """The connections that environments wait for, all together."""
        with socket.socket() as own:
            self.namespace = notifications.namespace(own)

    def attach(self, notify_fd: int, dns_udp: socket.socket, dns_tcp: socket.socket) -> Attachment:
        """Serve one environment until it ends. Takes over the descriptor of its `notify_filter` and the sockets that
        listen at port 53 of its 127.0.0.1. Called on the event loop."""
        return Attachment(self, Notifications(notify_fd), dns_udp, dns_tcp)


class _Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that a thread of the function waits for."""

    call: Notification
    socket: socket.socket
    inherited: bool
    linger: bytes
    patience: float | None


class _Lead(msgspec.Struct, frozen=True):
    """A UDP socket that is to be led to a destination before its thread goes on."""

    call: Notification
    source: str
    destination: Destination


class Attachment:
    """One environment and its connections."""

    def __init__(self, egress: Egress, calls: Notifications, dns_udp: socket.socket, dns_tcp: socket.socket) -> None:
        self._egress = egress
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._hand: ThreadPoolExecutor | None = None
        self._flows = Flows(dns_udp, egress.clock)
        self._names = Names(dns_udp, dns_tcp, egress.servers, self._flows, egress.clock, egress.tasks)
        self._attempts: dict[_Attempt, Timer] = {}
        self._open = True
        self._loop.add_reader(calls.fileno(), self._readable)

    def close(self) -> None:
        """Make no more connections, and let go of everything; harmless twice. What the function holds stays open."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._calls.fileno())
        for attempt in list(self._attempts):
            self._take(attempt).socket.close()
        if self._hand is None:
            self._calls.close()
        else:
            # Behind whatever the thread does with the descriptor, whose number must not get another meaning meanwhile.
            self._hand.submit(self._calls.close)
            self._hand.shutdown(wait=False)
        self._flows.close()
        self._names.close()

    def _readable(self) -> None:
        self._loop.remove_reader(self._calls.fileno())
        self._work(self._look, self._looked)

    def _looked(self, found: tuple[State, list[_Attempt | _Lead]]) -> None:
        state, outcomes = found
        if not self._open:
            for outcome in outcomes:
                if isinstance(outcome, _Attempt):
                    outcome.socket.close()
            return
        for outcome in outcomes:
            if isinstance(outcome, _Attempt):
                self._await(outcome)
            else:
                self._flows.lead(outcome.source, outcome.destination)
                self._work(functools.partial(self._calls.answer, outcome.call), _nothing)
        if state is State.END:
            self.close()
        else:
            self._sweep()
            self._loop.add_reader(self._calls.fileno(), self._readable)

    def _await(self, attempt: _Attempt) -> None:
        seconds = min(attempt.patience or limits.EGRESS_CONNECT_S, limits.EGRESS_CONNECT_S)
        settle = functools.partial(self._settle, attempt)
        self._attempts[attempt] = self._egress.clock.call_later(seconds, settle)
        self._egress.under_way += 1
        self._loop.add_writer(attempt.socket.fileno(), settle)

    def _settle(self, attempt: _Attempt) -> None:
        self._work(functools.partial(self._hand_over, self._take(attempt)), _nothing)

    def _take(self, attempt: _Attempt) -> _Attempt:
        """An attempt that nobody waits for from now on."""
        self._attempts.pop(attempt).cancel()
        self._egress.under_way -= 1
        self._loop.remove_writer(attempt.socket.fileno())
        return attempt

    def _sweep(self) -> None:
        """Make room, where it gets scarce: nobody tells of a thread that was interrupted or killed in its call."""
        if len(self._attempts) > limits.EGRESS_CONNECTS // 2:
            for attempt in [attempt for attempt in self._attempts if not self._calls.valid(attempt.call)]:
                self._take(attempt).socket.close()

    def _work(self, job: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do `job` on the environment's thread and `then`, with what comes of it, on the loop."""
        if self._hand is None:
            self._hand = ThreadPoolExecutor(1, "egress", _without_signals)
        self._hand.submit(job).add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(functools.partial(self._worked, then, done))
        )

    def _worked(self, then: Callable[[T], None], done: Future[T]) -> None:
        try:
            result = done.result()
        except BaseException:
            self.close()  # a bug must not leave the function's threads waiting for ever
            raise
        then(result)

    # What follows runs on the environment's thread.

    def _look(self) -> tuple[State, list[_Attempt | _Lead]]:
        """Deal with the calls that wait; what cannot be done at once is returned."""
        outcomes: list[_Attempt | _Lead] = []
        state = State.QUIET
        for _ in range(limits.EGRESS_CALLS_PER_TURN):
            state = self._calls.state()
            if state is not State.CALL:
                break
            call = self._calls.receive()
            if call is not None and (outcome := self._examine(call, len(outcomes))) is not None:
                outcomes.append(outcome)
        return state, outcomes

    def _examine(self, call: Notification, waiting: int) -> _Attempt | _Lead | None:
        """Answer a call, or say what it has to wait for."""
        try:
            if call.number in programs.CONNECT:
                packed = notifications.memory(call.task, call.arguments[1], _length(call.arguments[2]))
                return self._connect(call, packed, waiting)
            if call.number in programs.LISTEN:
                self._listen(call)
            else:
                self._tell_of_interfaces(call)
        except OSError as failure:
            self._calls.answer(call, failure.errno or errno.EIO)
        return None

    def _listen(self, call: Notification) -> None:
        with self._borrow(call) as theirs:
            if self._outside(theirs):
                raise _error(errno.EINVAL)
            if self._egress.guarded:
                self._calls.proceed(call)
            else:
                theirs.listen(_signed(call.arguments[1]))
                self._calls.answer(call)

    def _tell_of_interfaces(self, call: Notification) -> None:
        with self._borrow(call) as theirs:
            if self._outside(theirs):
                raise _error(errno.EPERM)
        self._calls.proceed(call)

    def _connect(self, call: Notification, packed: bytes, waiting: int) -> _Attempt | _Lead | None:
        if self._egress.guarded and addresses.family(packed) == socket.AF_UNIX:
            self._calls.proceed(call)
            return None
        destination = addresses.parse(packed)
        with self._borrow(call) as theirs:
            kind = (theirs.type, theirs.proto) if theirs.family in _INTERNET else None
            outside = self._outside(theirs)
            if outside and (destination is None or destination.inside or kind != _TCP):
                raise _error(errno.EADDRNOTAVAIL)
            if destination is None or destination.inside or kind not in {_TCP, _UDP}:
                self._stay_inside(call, theirs, packed)
                return None
            if kind == _TCP and (number := connections.progress(theirs)):
                raise _error(number)
            if not self._egress.border.admits(destination.address, destination.port):
                raise _error(errno.ENETUNREACH)
            if kind == _UDP:
                return self._lead(call, theirs, destination)
            return self._launch(call, theirs, destination, waiting)

    def _stay_inside(self, call: Notification, theirs: socket.socket, packed: bytes) -> None:
        if self._egress.guarded:
            self._calls.proceed(call)
        else:
            self._calls.answer(call, imitation.connect(call.task, theirs, packed))

    def _borrow(self, call: Notification) -> socket.socket:
        """The socket that a call is about. Raises OSError, also where its task is gone: another may have its number."""
        theirs = borrow(call.task, _descriptor(call))
        if not self._calls.valid(call):
            theirs.close()
            raise _error(errno.ESRCH)
        return theirs

    def _lead(self, call: Notification, theirs: socket.socket, destination: Destination) -> _Lead:
        datagrams.outside(destination).close()  # says whether there is a way
        source = datagrams.lead_to_relay(theirs, self._flows.source())
        return _Lead(call, source, destination)

    def _launch(
        self, call: Notification, theirs: socket.socket, destination: Destination, waiting: int
    ) -> _Attempt | None:
        if destination.family != theirs.family:
            raise _error(errno.EAFNOSUPPORT)
        flags = notifications.descriptor_flags(call.task, _descriptor(call))
        waits = not flags & os.O_NONBLOCK
        if waits and self._crowded(waiting):
            raise _error(errno.ENOBUFS)
        attempt = _Attempt(
            call=call,
            inherited=not flags & os.O_CLOEXEC,
            linger=connections.linger(theirs),
            patience=connections.patience(theirs),
            socket=connections.connect(theirs, destination, self._egress.ports, guarded=self._egress.guarded),
        )
        if waits:
            return attempt
        self._give(attempt, errno.EINPROGRESS)
        return None

    def _hand_over(self, attempt: _Attempt) -> None:
        """What the function waited for has happened, or it has waited long enough."""
        number = connections.failure(attempt.socket)
        if number == 0 and connections.progress(attempt.socket) == errno.EALREADY:
            number = errno.ETIMEDOUT if attempt.patience is None else errno.EINPROGRESS
        if number in {0, errno.EINPROGRESS}:
            attempt.socket.setblocking(True)
            self._give(attempt, number)
        else:
            attempt.socket.close()
            self._calls.answer(attempt.call, number)

    def _give(self, attempt: _Attempt, number: int) -> None:
        """Put the machine's socket in place of the function's, and return `number` from its call."""
        with attempt.socket as ours:
            connections.set_linger(ours, attempt.linger)
            try:
                self._calls.place(attempt.call, ours.fileno(), _descriptor(attempt.call), inherited=attempt.inherited)
            except OSError as failure:
                number = failure.errno or errno.EIO
        self._calls.answer(attempt.call, number)

    def _crowded(self, waiting: int) -> bool:
        own, all_together = len(self._attempts) + waiting, self._egress.under_way + waiting
        return own >= limits.EGRESS_CONNECTS or all_together >= limits.EGRESS_CONNECTS_TOGETHER

    def _outside(self, theirs: socket.socket) -> bool:
        """Whether a socket of the function's is one of this machine's."""
        return notifications.namespace(theirs) == self._egress.namespace


def _without_signals() -> None:
    """Leave signals to other threads, so that none interrupts a call in the middle."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _descriptor(call: Notification) -> int:
    """The first argument, an int. Raises OSError where that is no descriptor."""
    number = call.arguments[0] & 0xFFFFFFFF
    if number > _HIGHEST_DESCRIPTOR:
        raise _error(errno.EBADF)
    return number


def _signed(argument: int) -> int:
    """An argument that is an int."""
    return int.from_bytes((argument & 0xFFFFFFFF).to_bytes(4, "little"), "little", signed=True)


def _length(argument: int) -> int:
    length = argument & 0xFFFFFFFF
    if length > addresses.LONGEST_BYTES:
        raise _error(errno.EINVAL)
    return length


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _nothing(_: object) -> None:
    """There is nothing more to do."""
