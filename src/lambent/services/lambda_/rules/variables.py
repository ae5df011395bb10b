"""What a function may put into its environment.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

import msgspec

from lambent.kernel import limits
from lambent.services.lambda_.errors import configuration as errors

RESERVED = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_HTTP_ENDPOINT",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_NODEJS_ENTRYPOINT",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)


def check(variables: dict[str, str]) -> None:
    """Raise AWS's error for reserved names and for more than 4 KB."""
    reserved = [name for name in variables if name in RESERVED]
    if reserved:
        raise errors.reserved_variables(reserved)
    if any("\0" in text for pair in variables.items() for text in pair):
        raise errors.nul_in_variables()
    measured = msgspec.json.encode(variables)
    if len(measured) > limits.FUNCTION_ENVIRONMENT_BYTES:
        raise errors.variables_too_large(measured.decode())
