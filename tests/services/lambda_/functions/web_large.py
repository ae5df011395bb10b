"""Answers a web request with as many letters as its query asks for."""


def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "a" * int(event["rawQueryString"])}
