-- The last number given to a group, a stream or a chunk: numbers only grow and are never given twice.
CREATE TABLE logs_counter (
    value INTEGER NOT NULL
);
INSERT INTO logs_counter (value) VALUES (0);

-- Times are milliseconds since the epoch, `retention` is in days, `size` is in bytes as AWS counts them.
CREATE TABLE logs_group (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    retention INTEGER,
    size INTEGER NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (account, region, name)
);

-- `last_event_ms` is 0 and the other three are NULL until the stream has its first event.
CREATE TABLE logs_stream (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    last_event_ms INTEGER NOT NULL,
    first_event_ms INTEGER,
    last_ingestion_ms INTEGER,
    last_chunk INTEGER,
    UNIQUE (group_id, name)
);
CREATE INDEX logs_stream_by_time ON logs_stream (group_id, last_event_ms, name);

-- Events in batches. A chunk spans at most an hour, so that a search by time knows where to begin.
CREATE TABLE logs_chunk (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    first_event_ms INTEGER NOT NULL,
    last_event_ms INTEGER NOT NULL,
    ingested_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX logs_chunk_of_group_up ON logs_chunk (group_id, first_event_ms, id);
CREATE INDEX logs_chunk_of_group_down ON logs_chunk (group_id, last_event_ms, id);
CREATE INDEX logs_chunk_of_stream_up ON logs_chunk (stream_id, first_event_ms, id);
CREATE INDEX logs_chunk_of_stream_down ON logs_chunk (stream_id, last_event_ms, id);

-- Groups and streams that were deleted and whose streams and chunks a worker still has to clear away.
CREATE TABLE logs_deleted (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL
);
