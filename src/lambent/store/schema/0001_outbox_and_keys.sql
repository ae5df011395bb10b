-- Events that leave once their transaction has committed; `id` gives their order.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    event BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX outbox_by_target ON outbox (target, id);

-- Events that were given up after their last attempt, kept for an operator to look at and to revive.
CREATE TABLE dead_events (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    event BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL
);

-- Secrets that this installation made for itself.
CREATE TABLE secret_keys (
    name TEXT PRIMARY KEY,
    secret BLOB NOT NULL
);
