"""Fails in a step that is not tried again."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import StepConfig
from aws_durable_execution_sdk_python.retries import RetryDecision


def fail(_):
    raise ValueError("there is no way on")


@durable_execution
def handler(event, context):
    context.step(fail, name="fail", config=StepConfig(lambda error, attempt: RetryDecision.no_retry()))
