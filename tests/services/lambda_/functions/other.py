"""Answers the event too, from another package."""


def handler(event, context):
    return event
