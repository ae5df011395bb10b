"""The small runtime client of each language: it runs inside the environment, never inside the server."""
