"""Fails where the event asks for it; otherwise answers the event with what its context says."""

NAMES = (
    "invoked_function_arn",
    "function_version",
    "function_name",
    "memory_limit_in_mb",
    "aws_request_id",
    "log_group_name",
    "log_stream_name",
    "client_context",
)


def handler(event, context):
    if event.get("raise_error"):
        raise Exception("Test exception (this is intentional)")
    return {"event": event, "context": {name: getattr(context, name) for name in NAMES}}
