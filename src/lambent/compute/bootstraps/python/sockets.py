"""What becomes of INIT's sockets in the forks of a snapshot: see `kinds.py`. Loaded when asked for.

| kind | in each fork |
|---|---|
| connection over TCP | shut down before the snapshot, so that everybody finds it dead and makes another, as on AWS |
| datagrams, bound to nothing but a port of the kernel's choice | a new one, connected to the same address |
| pair of local sockets with both ends here and nothing in them | a new pair |
| local socket whose other end is closed | as it is: at its end for everybody |
| what listens or has an address, anything else | obstacle |
"""

# mypy: ignore-errors
# ruff: noqa: F821 `client` is the bootstrap, set by its loader.

import _socket
import contextlib
import os

OPTION_BYTES = 16
OPTIONS = (
    (_socket.SOL_SOCKET, ("SO_BROADCAST", "SO_PASSCRED", "SO_RCVTIMEO", "SO_REUSEADDR", "SO_REUSEPORT", "SO_SNDTIMEO")),
    (_socket.IPPROTO_IP, ("IP_TTL", "IP_TOS", "IP_MULTICAST_TTL", "IP_MULTICAST_LOOP")),
    (_socket.IPPROTO_IPV6, ("IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS", "IPV6_MULTICAST_LOOP", "IPV6_V6ONLY")),
)
"""By their levels; those that a socket does not have are no options of it."""
BUFFERS = _socket.SO_RCVBUF, _socket.SO_SNDBUF
"""The kernel doubles what it is told."""
TCP_SYN_SENT, TCP_CLOSE = 2, 7
DRAINED = 1 << 16
PLACE_BYTES = 4
ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 it is compared
NOBODY = bytes(OPTION_BYTES)
"""An address of the family AF_UNSPEC: who connects to it is not connected any more."""
PEEK = _socket.MSG_PEEK | _socket.MSG_DONTWAIT


def introduce(opens):
    """Let each of these sockets that has a partner among them know it: it sends its place, and who that comes out of is
    its partner. Raises Obstacle."""
    local = [each for each in opens if _is_local(each)]
    for place, each in enumerate(local):
        with _held(each) as one, contextlib.suppress(OSError):  # one whose other end is closed has no partner
            one.send(place.to_bytes(PLACE_BYTES, "big"))
    for each in local:
        with _held(each) as one:
            if _filled(one):
                each.partner = local[int.from_bytes(one.recv(PLACE_BYTES), "big")]


def _is_local(each):
    """Whether it is connected on this machine."""
    with _held(each) as one:
        if one.family != _socket.AF_UNIX or _peer(one) is None:
            return False
        if one.getsockname() or _peer(one):  # now, for the kernel may give one that sends a name
            raise _obstacle("a socket at " + _shown(one.getsockname() or _peer(one)))
        if _filled(one):
            raise _obstacle("a socket with data in it")
        return True


def fate(each):
    """The renewal of a socket that has been introduced, or None. Raises Obstacle."""
    with _held(each) as one:
        if one.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
            raise _obstacle("a socket that listens at " + _shown(one.getsockname()))
        return _way(one)(each, one)


@contextlib.contextmanager
def _held(each):
    """A socket that never waits, whose descriptor stays the function's."""
    one = _socket.socket(fileno=each.number)
    try:
        one.settimeout(0)
        yield one
    finally:
        one.detach()


def _way(one):
    if one.family == _socket.AF_UNIX and _peer(one) is not None:
        return _pair
    if one.type == _socket.SOCK_DGRAM:
        return _datagrams
    if one.family in (_socket.AF_INET, _socket.AF_INET6) and one.proto == _socket.IPPROTO_TCP:
        return _connection
    raise _obstacle("a socket of a kind that cannot be renewed")


def _connection(_, one):
    """Shut it down. Nobody is to be given what had arrived."""
    state = one.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_INFO, 1)[0]
    if state == TCP_SYN_SENT or (state == TCP_CLOSE and not _was_connected(one)):
        raise _obstacle("a socket that is not connected")
    with contextlib.suppress(OSError):  # the other side may have had enough of it
        one.shutdown(_socket.SHUT_RDWR)
        while one.recv(DRAINED):
            pass


def _was_connected(one):
    try:
        one.recv(1, PEEK)
    except ConnectionError:
        return True
    except OSError:
        return False
    return True


def _datagrams(each, one):
    if _waiting(one) is not None:
        raise _obstacle("a socket with datagrams in it")
    peer = _peer(one)
    # It forgets its addresses, but for one that the function has given it.
    client.late("kinds").call("connect", one.fileno(), NOBODY, len(NOBODY))
    name = one.getsockname()
    bound = name if isinstance(name, (str, bytes)) else name[0] not in ANYWHERE or name[1]
    if bound:
        raise _obstacle("a socket at " + _shown(name))
    kind, options = (one.family, one.type, one.proto), _options(one)
    return client.late("descriptors").Renewal([each], lambda: [_new_datagrams(kind, options, peer)])


def _new_datagrams(kind, options, peer):
    made = _socket.socket(*kind)
    _set(made, options)
    if peer is not None:
        made.settimeout(None)
        made.connect(peer)
    return made.detach()


def _pair(each, one):
    """Two that are connected to each other: whichever has the lower number stands for both."""
    partner = each.partner
    if partner is None and _is_over(one):
        return None
    if partner is None or partner.partner is not each:
        raise _obstacle("a socket whose other end is not here, or closed by half,")
    if partner.number < each.number:
        return None
    kind = one.family, one.type, one.proto
    with _held(partner) as other:
        options = [_options(one), _options(other)]
    return client.late("descriptors").Renewal([each, partner], lambda: _new_pair(kind, options))


def _is_over(one):
    """Whether nothing will ever arrive, and nothing can be sent."""
    if one.type == _socket.SOCK_DGRAM or _waiting(one) is None:
        return False
    try:
        one.send(b"\0")
    except OSError:
        return True
    return False


def _new_pair(kind, options):
    ends = _socket.socketpair(*kind)
    for each, those in zip(ends, options):  # noqa: B905 Python 3.9
        _set(each, those)
    return [each.detach() for each in ends]


def _waiting(one):
    """The beginning of what has arrived: nothing, where it is at its end or a datagram is empty; None where nothing
    has. That an earlier datagram was refused is told first."""
    with contextlib.suppress(ConnectionError):
        return _peeked(one)
    return _peeked(one)


def _filled(one):
    """Whether something has arrived, which may be an empty datagram."""
    found = _waiting(one)
    return found is not None and (found != b"" or one.type == _socket.SOCK_DGRAM)


def _peeked(one):
    try:
        return one.recv(1, PEEK)
    except BlockingIOError:
        return None


def _peer(one):
    """To whom it is connected, if to anybody."""
    try:
        return one.getpeername()
    except OSError:
        return None


def _options(one):
    found = []
    for level, names in OPTIONS:
        for number in (getattr(_socket, name) for name in names if hasattr(_socket, name)):
            with contextlib.suppress(OSError):
                found.append((level, number, one.getsockopt(level, number, OPTION_BYTES)))
    return found + [(_socket.SOL_SOCKET, each, one.getsockopt(_socket.SOL_SOCKET, each) // 2) for each in BUFFERS]


def _set(made, options):
    for option in options:
        made.setsockopt(*option)


def _shown(name):
    if isinstance(name, tuple):
        return "%s:%d" % name[:2]
    return os.fsdecode(name)


def _obstacle(text):
    return client.late("obstacles").left_open(text)
