"""The first version of a function that is updated."""


def handler(event, context):
    return "one"
