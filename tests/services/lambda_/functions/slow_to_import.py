"""Takes its time before it echoes."""

import time

time.sleep(1)


def handler(event, context):
    return event
