-- One row for each function and qualifier (empty: none) whose events wait. `gone` is 1 once the function is deleted: what
-- is left of its events is removed bit by bit, and a function that takes its name has lines of its own.
CREATE TABLE lambda_event_line (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX lambda_event_line_name ON lambda_event_line (account, region, function, qualifier) WHERE gone = 0;

CREATE INDEX lambda_event_line_gone ON lambda_event_line (id) WHERE gone = 1;

-- The events that wait for their function, or run: a row goes in the transaction that stores what came of it. `due_ms` is
-- when it may run: milliseconds since the epoch. `size` is that of the payload, in bytes.
CREATE TABLE lambda_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    line INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    record TEXT NOT NULL,
    payload BLOB NOT NULL
);

CREATE INDEX lambda_event_due ON lambda_event (line, due_ms, id, size);
