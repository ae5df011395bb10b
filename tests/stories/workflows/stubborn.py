"""A step that is over, and one that takes its time."""

import time
import uuid

from aws_durable_execution_sdk_python import durable_execution


@durable_execution
def handler(event, context):
    first = context.step(lambda _: str(uuid.uuid4()), name="first")
    context.step(lambda _: time.sleep(0.5), name="second")
    return {"first": first, "answer": context.create_callback(name="third").result()}
