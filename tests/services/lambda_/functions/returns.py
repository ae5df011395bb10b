"""Answers what the JSON in the body of a web request says, or in its variables where it has no body."""

import base64
import json
import os


def handler(event, context):
    body = event.get("body") or os.environ["RETURNS"]
    return json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
