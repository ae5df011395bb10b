-- What goes with an event: the tracing header, who sends it and its attributes, as JSON; NULL where nothing does.
ALTER TABLE outbox ADD COLUMN envelope TEXT;
ALTER TABLE dead_events ADD COLUMN envelope TEXT;

-- When an event was given up, in milliseconds since the epoch; 0 for those that were before this was kept.
ALTER TABLE dead_events ADD COLUMN died_ms INTEGER NOT NULL DEFAULT 0;
