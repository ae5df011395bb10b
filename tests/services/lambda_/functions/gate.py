"""Says that it has begun by making one file and answers once another is there."""

import time
from pathlib import Path


def handler(event, context):
    Path(event["begun"]).touch()
    while not Path(event["open"]).exists():
        time.sleep(0.01)
    return "one"
