"""What the scenarios of AWS's conformance tests do, each by its number: the history of each is known."""

import os

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    CompletionConfig,
    Duration,
    InvokeConfig,
    MapConfig,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from aws_durable_execution_sdk_python.exceptions import CallbackError, InvokeError
from aws_durable_execution_sdk_python.retries import RetryDecision, RetryPresets
from aws_durable_execution_sdk_python.serdes import JsonSerDes, SerDes
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision


def up_to(most):
    def strategy(error, attempts):
        return RetryDecision.retry(Duration.from_seconds(1)) if attempts < most else RetryDecision.no_retry()

    return strategy


once_more, four_times = up_to(2), up_to(4)


AT_MOST_ONCE = StepConfig(RetryPresets.none(), StepSemantics.AT_MOST_ONCE_PER_RETRY)
AT_MOST_TWICE = StepConfig(once_more, StepSemantics.AT_MOST_ONCE_PER_RETRY)
EVERY_TWO_SECONDS = Duration.from_seconds(2)


class Joined(SerDes):
    """Strings that have no comma, in capitals."""

    def serialize(self, value, _):
        return "OPSERDE:" + ",".join(value.get_results())

    def deserialize(self, data, _):
        return data.removeprefix("OPSERDE:").split(",")


def crash(step):
    os._exit(1)


def crash_once(step):
    return "succeeded on second attempt" if step.attempt > 1 else os._exit(1)


def fails(*_):
    raise ValueError("no")


def inner(context, value):
    context.step(lambda _: value)
    context.wait(Duration.from_seconds(2))
    return value


def child_and_more(context, value):
    value = context.run_in_child_context(lambda child: inner(child, value), name="child")
    context.step(lambda _: value)
    context.wait(Duration.from_seconds(2))
    return value


def child_and_wait(context, value):
    value = context.run_in_child_context(lambda _: value, name="child")
    context.wait(Duration.from_seconds(2))
    return value


def answered(context, name, between=lambda: None, **config):
    callback = context.create_callback(name, CallbackConfig(**config))
    between()
    return callback.result()


def both_answered(context, _):
    callbacks = [context.create_callback(name) for name in ("a", "b")]
    return [callback.result() for callback in callbacks]


def counted(context, most):
    def strategy(state, _):
        if state < most:
            return WaitForConditionDecision.continue_waiting(EVERY_TWO_SECONDS)
        return WaitForConditionDecision.stop_polling()

    config = WaitForConditionConfig(wait_strategy=strategy, initial_state=0)
    return context.wait_for_condition(lambda state, _: state + 1, config)


def caught(context, wait):
    try:
        context.invoke("failing:$LATEST", None)
    except InvokeError:
        if wait:
            context.wait(Duration.from_seconds(1))
        return "caught"


def timeout_caught(context, name):
    try:
        return answered(context, name, timeout=Duration.from_seconds(3))
    except CallbackError as error:
        context.wait(Duration.from_seconds(2))
        return str(error)


def called_and_used(context, _):
    answer = context.invoke("echo:$LATEST", 1)
    return context.step(lambda _: answer + 1)


def large(context, _):
    config = MapConfig(max_concurrency=1)
    batch = context.map(list("abcd"), lambda _, item, *__: item * 70_000, name="large", config=config)
    return {"successCount": batch.success_count, "totalCount": batch.total_count}


def another(context, _):
    if context.is_replaying():
        return context.step(lambda _: 1, name="identity-slot")
    return context.wait(Duration.from_seconds(1), name="identity-slot")


def too_many_fail(context, _):
    config = ParallelConfig(max_concurrency=1, completion_config=CompletionConfig(tolerated_failure_count=1))
    batch = context.parallel([fails, fails, fails], name="tolerated-exceeded", config=config)
    return {
        "completionReason": batch.completion_reason.value,
        "successCount": batch.success_count,
        "failureCount": batch.failure_count,
        "totalCount": batch.total_count,
    }


def mapped(context, _):
    config = MapConfig(max_concurrency=1, serdes=Joined(), item_serdes=JsonSerDes())
    found = context.map(["x", "y"], lambda _, item, *__: item.upper(), name="op-serde-replay", config=config)
    context.wait(Duration.from_seconds(1))
    return found if isinstance(found, list) else found.get_results()


SECONDS = Duration.from_seconds
CASES = {
    "1-2": lambda context, value: context.step(lambda _: f"Hello, {value}!", name="custom_step_name"),
    "1-5": lambda context, _: context.step(lambda _: None),
    "1-12": lambda context, _: context.step(fails, config=StepConfig(four_times)),
    "1-17": lambda context, _: context.step(crash, name="at_most_once_flaky_step", config=AT_MOST_ONCE),
    "1-18": lambda context, _: context.step(crash_once, config=AT_MOST_TWICE),
    "2-1": lambda context, _: context.wait(SECONDS(2)),
    "2-4": lambda context, _: context.wait(Duration.from_minutes(1)),
    "3-17": child_and_wait,
    "3-18": child_and_more,
    "4-1": answered,
    "4-3": lambda context, name: answered(context, name, timeout=SECONDS(5)),
    "4-4": lambda context, name: answered(context, name, heartbeat_timeout=SECONDS(5)),
    "4-5": lambda context, name: answered(context, name, heartbeat_timeout=SECONDS(10)),
    "4-6": answered,
    "4-7": lambda context, name: answered(context, name, lambda: context.step(lambda _: 1)),
    "4-9": lambda context, name: answered(context, name, lambda: context.wait(SECONDS(5))),
    "4-14": timeout_caught,
    "4-18": both_answered,
    "5-1": lambda context, value: context.invoke("echo:$LATEST", value),
    "5-2": lambda context, value: context.invoke("echo:$LATEST", value, name="name"),
    "5-6": lambda context, _: caught(context, wait=False),
    "5-8": lambda context, value: context.invoke("tenants:$LATEST", value, config=InvokeConfig(tenant_id="blue")),
    "5-10": lambda context, _: caught(context, wait=True),
    "5-12": called_and_used,
    "5-14": lambda context, _: [context.invoke("echo:$LATEST", None) for _ in range(2)],
    "6-5": counted,
    "7-7": lambda context, name: context.wait_for_callback(
        fails, name, WaitForCallbackConfig(retry_strategy=once_more)
    ),
    "otel-25": lambda context, name: context.wait_for_callback(lambda *_: None, name),
    "8-10": too_many_fail,
    "9-16": large,
    "9-20": mapped,
    "11-1": another,
}


@durable_execution
def handler(event, context):
    return CASES[event["case"]](context, event["event"])
