"""AWS Lambda, first cut: functions from zips, their configuration, and synchronous invocation."""

from __future__ import annotations

from lambent.kernel.service import Service
from lambent.services.lambda_.operations.code import update_function_code
from lambent.services.lambda_.operations.configuration import get_function_configuration, update_function_configuration
from lambent.services.lambda_.operations.function import (
    create_function,
    delete_function,
    get_function,
    list_functions,
)
from lambent.services.lambda_.operations.invoke import invoke
from lambent.services.lambda_.operations.invoke_with_response_stream import invoke_with_response_stream
from lambent.services.lambda_.parts import Parts
from lambent.services.lambda_.targets import FunctionTarget
from lambent.services.lambda_.workers import CodeSweeper, Settler

__all__ = ["Parts", "build"]


def build(parts: Parts) -> Service:
    """The service, registered on the road of targets."""
    parts.targets.register("lambda", FunctionTarget(parts))
    return Service(
        name="lambda",
        parts=parts,
        operations=(
            create_function,
            delete_function,
            get_function,
            get_function_configuration,
            invoke,
            invoke_with_response_stream,
            list_functions,
            update_function_code,
            update_function_configuration,
        ),
        workers={"settler": Settler(parts), "code-sweeper": CodeSweeper(parts)},
    )
