"""Answers the environment variables that the event names."""

import os


def handler(event, context):
    return {name: os.environ.get(name) for name in event}
