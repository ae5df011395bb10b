"""The programs that run in the kernel: the filter that traps an environment's connections, and the guard of a socket.

Both are classic BPF, an array of `struct sock_filter`. A test is always followed by what is done where it holds, so
jumps go forward by a known number of instructions and no assembler is needed.
"""

from __future__ import annotations

import errno
import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.compute.sandbox.egress.policy import Address

_Code = list[tuple[int, int, int, int]]

_INSTRUCTION = struct.Struct("=HBBI")
INSTRUCTION_BYTES = _INSTRUCTION.size

_LOAD_WORD = 0x20
_LOAD_HALF = 0x28
_LOAD_BYTE = 0x30
_AND = 0x54
_EQUAL = 0x15
_GREATER = 0x25
_GREATER_EQUAL = 0x35
_ANY_BIT = 0x45
_RETURN = 0x06

# https://docs.kernel.org/userspace-api/seccomp_filter.html
_ALLOW = 0x7FFF0000
_NOTIFY = 0x7FC00000
_ERROR = 0x00050000
_NUMBER_AT = 0
_ARCHITECTURE_AT = 4
_ARGUMENTS_AT = 16

_X32 = 0x40000000
_MSG_FASTOPEN = 0x20000000

# System calls by architecture: of each the number that the audit subsystem knows it by, then the numbers of connect,
# sendto, sendmsg, sendmmsg, setsockopt, ioctl, listen.
_ARCHITECTURES = (
    (0xC000003E, (42, 44, 46, 307, 54, 16, 50)),
    (0xC00000B7, (203, 206, 211, 269, 208, 29, 201)),
)
CONNECT = frozenset(numbers[0] for _, numbers in _ARCHITECTURES)
"""The numbers of connect(2)."""
LISTEN = frozenset(numbers[6] for _, numbers in _ARCHITECTURES)
"""The numbers of listen(2)."""
# Others do what these do without the kernel looking at the filter, or hold this server up: userfaultfd, io_uring_setup.
_REFUSED = {0xC000003E: (323, 425), 0xC00000B7: (282, 425)}

# Options that lead packets of a connected socket elsewhere, by their level.
_OPTIONS = (
    (1, (25, 62)),  # SO_BINDTODEVICE, SO_BINDTOIFINDEX
    (0, (4,)),  # IP_OPTIONS: source routes
    (41, (5, 6, 57)),  # IPV6_2292RTHDR, IPV6_2292PKTOPTIONS, IPV6_RTHDR: source routes
    (6, (30,)),  # TCP_FASTOPEN_CONNECT: data with the first packet
)
# Questions about interfaces and neighbours, which a socket answers for the namespace that it was made in.
_INTERFACES = (0x8910, 0x89FF)
_SIOCOUTQNSD = 0x894B

# Where a socket filter finds the IP header, whatever the packet begins with.
_IP_HEADER = 0xFFF00000
_WHOLE = 0xFFFFFFFF


def notify_filter() -> bytes:
    """The seccomp filter of an environment with outbound connections, for x86_64 and aarch64.

    `connect`, `listen` and questions about interfaces go to whoever holds the filter's descriptor. Data that would open
    a connection by itself (MSG_FASTOPEN, TCP_FASTOPEN_CONNECT), source routes and the choice of an interface are
    refused, and so are io_uring, which does all of it unseen, userfaultfd, and system calls of other architectures.
    """
    code: _Code = [(_LOAD_WORD, 0, 0, _ARCHITECTURE_AT)]
    for architecture, numbers in _ARCHITECTURES:
        code += _where(_EQUAL, architecture, _traps(numbers, _REFUSED[architecture]))
    return _assemble([*code, _refuse(errno.ENOSYS)])


def guard(address: Address, port: int) -> bytes:
    """The socket filter of a TCP socket: only packets from `port` of `address` reach it."""
    if isinstance(address, IPv4Address):
        version, words_at = 0x40, 12
    else:
        version, words_at = 0x60, 8
    words = struct.unpack(f">{len(address.packed) // 4}I", address.packed)
    code: _Code = [(_RETURN, 0, 0, _WHOLE)]
    for index, word in reversed(list(enumerate(words))):
        code = [(_LOAD_WORD, 0, 0, _IP_HEADER + words_at + 4 * index), *_where(_EQUAL, word, code)]
    code = [(_LOAD_BYTE, 0, 0, _IP_HEADER), (_AND, 0, 0, 0xF0), *_where(_EQUAL, version, code)]
    code = [(_LOAD_HALF, 0, 0, 0), *_where(_EQUAL, port, code)]
    return _assemble([*code, (_RETURN, 0, 0, 0)])


def _traps(numbers: tuple[int, ...], refused: tuple[int, ...]) -> _Code:
    connect, sendto, sendmsg, sendmmsg, setsockopt, ioctl, listen = numbers
    code: _Code = [(_LOAD_WORD, 0, 0, _NUMBER_AT)]
    code += _where(_GREATER_EQUAL, _X32, [_refuse(errno.ENOSYS)])
    for number in (connect, listen):
        code += _where(_EQUAL, number, [(_RETURN, 0, 0, _NOTIFY)])
    for number, flags in ((sendto, 3), (sendmsg, 2), (sendmmsg, 3)):
        code += _where(_EQUAL, number, _fast_open(flags))
    code += _where(_EQUAL, setsockopt, _redirections())
    code += _where(_EQUAL, ioctl, _interfaces())
    for number in refused:
        code += _where(_EQUAL, number, [_refuse(errno.EPERM)])
    return [*code, (_RETURN, 0, 0, _ALLOW)]


def _fast_open(flags: int) -> _Code:
    return [
        _argument(flags),
        *_where(_ANY_BIT, _MSG_FASTOPEN, [_refuse(errno.EOPNOTSUPP)]),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _redirections() -> _Code:
    code: _Code = [_argument(1)]
    for level, names in _OPTIONS:
        refusals: _Code = [_argument(2)]
        for name in names:
            refusals += _where(_EQUAL, name, [_refuse(errno.EPERM)])
        code += _where(_EQUAL, level, [*refusals, (_RETURN, 0, 0, _ALLOW)])
    return [*code, (_RETURN, 0, 0, _ALLOW)]


def _interfaces() -> _Code:
    first, last = _INTERFACES
    return [
        _argument(1),
        *_where(_EQUAL, _SIOCOUTQNSD, [(_RETURN, 0, 0, _ALLOW)]),
        *_where(_GREATER, last, [(_RETURN, 0, 0, _ALLOW)]),
        *_where(_GREATER_EQUAL, first, [(_RETURN, 0, 0, _NOTIFY)]),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _argument(index: int) -> tuple[int, int, int, int]:
    """The lower half of an argument: all that the kernel looks at where it takes an int."""
    return (_LOAD_WORD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _refuse(number: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ERROR | number)


def _where(test: int, value: int, code: _Code) -> _Code:
    return [(test, 0, len(code), value), *code]


def _assemble(code: _Code) -> bytes:
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)
