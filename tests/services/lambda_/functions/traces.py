"""Leaves a trace of who called in memory and in a file, and tells what traces it has found."""

from pathlib import Path

seen = []
file = Path("/tmp/seen")


def handler(event, context):
    found = file.read_text().splitlines() if file.exists() else []
    seen.append(context.tenant_id)
    file.write_text("\n".join([*found, context.tenant_id]))
    return {
        "tenant": context.tenant_id,
        "memory": seen[:-1],
        "files": found,
        "stream": context.log_stream_name,
    }
