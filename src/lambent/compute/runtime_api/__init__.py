"""What the processes of an environment ask of the platform over HTTP: events, answers, extensions, telemetry."""
