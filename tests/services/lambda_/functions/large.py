"""Answers as many letters as the event asks for."""


def handler(event, context):
    return "a" * event["bytes"]
