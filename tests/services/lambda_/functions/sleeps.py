"""Takes longer than any timeout of these tests."""

import time


def handler(event, context):
    time.sleep(30)
