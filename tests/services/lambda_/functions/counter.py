"""Counts the events of its environment."""

import itertools

counter = itertools.count()


def handler(event, context):
    return {"counter": next(counter)}
