"""What the neighbour does, from whom the others try to steal."""

# ruff: noqa: PTH118, PTH123 what is probed are the system's own calls

import os
import socket

from attempts import read

KEPT = []


def listen_abstract(name):
    """Listen at an abstract address, for as long as this environment lives, and keep a secret in memory and /tmp."""
    held = socket.socket(socket.AF_UNIX)
    held.bind("\0" + name)
    held.listen()
    KEPT.append(held)
    return "listening"


def remember(text):
    """Keep a secret: in memory, in a variable and in /tmp."""
    os.environ["NEIGHBOUR_SECRET"] = text
    for folder in ("/tmp", "/dev/shm"):
        with open(os.path.join(folder, "neighbour"), "w") as file:
            file.write(text)
    KEPT.append(text)
    return read(["/tmp/neighbour"])["/tmp/neighbour"] == text


def recall():
    """The secret that was kept here, if any."""
    return os.environ.get("NEIGHBOUR_SECRET"), read(["/tmp/neighbour", "/dev/shm/neighbour"])
