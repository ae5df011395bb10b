"""What the platform tells of an environment: events, levels, and their delivery to extensions that subscribe."""
