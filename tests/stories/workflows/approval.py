"""Asks somebody outside twice: once by a callback of its own, once by one that a submitter hands on."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration


@durable_execution
def handler(event, context):
    first = context.create_callback(name="first", config=CallbackConfig(timeout=Duration.from_days(2)))
    answer = first.result()
    second = context.wait_for_callback(lambda callback_id, _: print("ask", callback_id), name="second")
    return {"first": answer, "second": second}
