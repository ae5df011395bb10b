"""Steps, one of which fails twice, with waits of days between them."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

RETRIES = StepConfig(
    create_retry_strategy(
        RetryStrategyConfig(max_attempts=5, initial_delay=Duration.from_minutes(10), backoff_rate=2.0)
    )
)


def charge(step):
    if step.attempt < 3:
        raise RuntimeError(f"the bank is closed ({step.attempt})")
    return {"attempt": step.attempt}


@durable_execution
def handler(event, context):
    room = context.step(lambda _: f"room {event['room']}", name="reserve")
    context.wait(Duration.from_days(3), name="time to think")
    paid = context.step(charge, name="charge", config=RETRIES)
    context.wait(Duration.from_days(30), name="until arrival")
    return {"room": room, "paid": paid, "key": context.step(lambda _: 7, name="key")}
