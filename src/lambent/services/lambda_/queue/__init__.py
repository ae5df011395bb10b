"""Asynchronous invocation: how events are accepted, whose turn it is, and what becomes of them."""
