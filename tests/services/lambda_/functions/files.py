"""Does with files what the event says, and tells what it found."""

import os
from pathlib import Path


def handler(event, context):
    for path, text in event.get("write", {}).items():
        with Path(path).open("a") as file:
            file.write(text)
        Path(path).chmod(0o600)
    paths = [Path(path) for path in event.get("read", [])]
    return {
        "read": {str(path): path.read_text() for path in paths},
        "owned": [path.stat().st_uid == os.getuid() for path in paths],
    }
