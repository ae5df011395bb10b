"""Child contexts, one of which has more to say than a checkpoint takes."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration


def small(context):
    return context.run_in_child_context(lambda inner: inner.step(lambda _: "deep", name="deep"), name="inner")


def large(context):
    return [context.step(lambda _: "a" * 100_000, name=f"part {number}") for number in range(4)]


@durable_execution
def handler(event, context):
    word = context.run_in_child_context(small, name="small")
    parts = context.run_in_child_context(large, name="large")
    context.wait(Duration.from_hours(1))
    return {"word": word, "size": sum(map(len, parts))}
