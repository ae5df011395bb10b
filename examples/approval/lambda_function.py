"""An expense that somebody has to approve: a durable function that waits for the answer without running."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration


def book(event, decision):
    return f"{event['amount']} {event['currency']} for {event['purpose']}, approved by {decision}"


@durable_execution
def lambda_handler(event, context):
    number = context.step(lambda _: f"expense {event['id']}", name="file")
    asked = context.create_callback(name="approval", config=CallbackConfig(timeout=Duration.from_days(7)))
    decision = asked.result()
    context.wait(Duration.from_seconds(1), name="time to object")
    return {"number": number, "booked": context.step(lambda _: book(event, decision), name="book")}
