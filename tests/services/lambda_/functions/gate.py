"""Says that it has begun through one named pipe and answers once the other has been opened and closed."""

from pathlib import Path


def handler(event, context):
    Path(event["begun"]).write_text("begun")
    Path(event["open"]).read_text()
    return "one"
