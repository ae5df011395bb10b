"""Durable executions: how they start, go on, call and end."""
