"""Prints what is in the record of an asynchronous invocation, as one line."""

import json


def handler(event, context):
    print("told", json.dumps(event["requestPayload"]), event["requestContext"]["condition"])
