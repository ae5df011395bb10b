"""The invocation core: from a function version and an event to an answer."""
