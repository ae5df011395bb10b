"""The second version of a function that is updated."""


def handler(event, context):
    return "two"
