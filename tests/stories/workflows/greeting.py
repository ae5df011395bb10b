"""A durable function that does nothing durable."""

from aws_durable_execution_sdk_python import durable_execution


@durable_execution
def handler(event, context):
    return f"Hello, {event.get('name', 'world')}!"
