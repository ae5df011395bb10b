"""A server in the foreground: what it does once it is up."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from lambent.cli.running import settle

def event():
    parts = [bytes([number]) * 262_144 for number in range(24)]
    whole = b"".join(parts)
    again = [whole[at : at + 65_536] for at in range(0, len(whole), 65_536)]
    del parts
    b"".join(again)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    event()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

settle()
faults()
print(faults())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_memory_of_a_large_event_is_there_for_the_next_one() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 100, "of some 6,000 pages"
