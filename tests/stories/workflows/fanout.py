"""Branches in parallel with waits of their own, and a map over a list."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration, MapConfig


def patient(hours):
    def branch(context):
        context.wait(Duration.from_hours(hours), name=f"{hours} hours")
        return context.step(lambda _: hours, name="done")

    return branch


@durable_execution
def handler(event, context):
    hours = context.parallel([patient(1), patient(2), patient(5)], name="branches").get_results()
    squares = context.map(
        list(range(event["items"])),
        lambda inner, item, index, items: inner.step(lambda _: item * item, name=f"square {item}"),
        name="squares",
        config=MapConfig(max_concurrency=3),
    ).get_results()
    return {"hours": hours, "squares": squares}
