"""Calls an ordinary function and a durable one."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.exceptions import InvokeError


@durable_execution
def handler(event, context):
    echoed = context.invoke(event["plain"], {"value": 1}, name="plain")
    greeting = context.invoke(event["durable"], {"name": "child"}, name="durable")
    try:
        context.invoke(event["missing"], {}, name="missing")
    except InvokeError as error:
        missing = error.error_type
    return {"echoed": echoed, "greeting": greeting, "missing": missing}
