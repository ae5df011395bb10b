"""Answers a web request with what its event says of it."""

import base64
import json


def handler(event, context):
    body = event.get("body", "")
    data = base64.b64decode(body) if event["isBase64Encoded"] else body
    try:
        data = json.loads(data)
    except ValueError:
        data = body
    http = event["requestContext"]["http"]
    seen = {
        "args": event.get("queryStringParameters", {}),
        "data": data,
        "domain": event["requestContext"]["domainName"],
        "headers": event["headers"],
        "method": http["method"],
        "origin": http["sourceIp"],
        "path": event["rawPath"],
    }
    return {"statusCode": 200, "body": json.dumps(seen)}
