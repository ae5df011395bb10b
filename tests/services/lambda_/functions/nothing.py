"""Returns nothing."""


def handler(event, context):
    pass
