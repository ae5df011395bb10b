"""Answers the event with what its context says."""

NAMES = (
    "invoked_function_arn",
    "function_version",
    "function_name",
    "memory_limit_in_mb",
    "aws_request_id",
    "log_group_name",
    "log_stream_name",
)


def handler(event, context):
    seen = {name: getattr(context, name) for name in NAMES}
    client = context.client_context
    seen["client_context"] = client and {"custom": client.custom, "env": client.env}
    return {"event": event, "context": seen}
