-- Executions belong to an owner, which is a function from its creation to its deletion: one that is created anew under
-- the same name is another owner. What has no owner any more is on its way out, and nobody sees it.
CREATE TABLE lambda_durable_owner (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    UNIQUE (account, region, function)
);

INSERT INTO lambda_durable_owner (id, account, region, function)
SELECT MIN(id), account, region, function FROM lambda_durable_execution GROUP BY account, region, function;

-- The owners that are gone while executions of theirs are left.
CREATE TABLE lambda_durable_remains (
    owner TEXT NOT NULL PRIMARY KEY
);

ALTER TABLE lambda_durable_execution RENAME TO lambda_durable_execution_before;
DROP INDEX lambda_durable_execution_due;
DROP INDEX lambda_durable_execution_started;
DROP INDEX lambda_durable_execution_running;

-- One row per durable execution. `due_ms` is when somebody has to look at it: milliseconds since the epoch. `running` is
-- 1 while one of its invocations is under way.
CREATE TABLE lambda_durable_execution (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    running INTEGER NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (owner, name)
);

INSERT INTO lambda_durable_execution (id, owner, version, name, status, started_ms, due_ms, running, record)
SELECT e.id, o.id, e.version, e.name, e.status, e.started_ms, e.due_ms, e.running, e.record
FROM lambda_durable_execution_before e
JOIN lambda_durable_owner o ON o.account = e.account AND o.region = e.region AND o.function = e.function;

DROP TABLE lambda_durable_execution_before;

CREATE INDEX lambda_durable_execution_due ON lambda_durable_execution (due_ms);

CREATE INDEX lambda_durable_execution_started ON lambda_durable_execution (owner, started_ms, id);

CREATE INDEX lambda_durable_execution_status ON lambda_durable_execution (owner, status, started_ms, id);

CREATE INDEX lambda_durable_execution_running ON lambda_durable_execution (running) WHERE running = 1;

-- What a checkpoint asks for, and what an invocation begins with, by an index each: neither reads what is over.
CREATE INDEX lambda_durable_operation_change ON lambda_durable_operation (execution, change);

DROP INDEX lambda_durable_operation_order;
CREATE INDEX lambda_durable_operation_shown ON lambda_durable_operation (execution, ordinal) WHERE hidden = 0;

DROP INDEX lambda_durable_operation_parent;
CREATE INDEX lambda_durable_operation_inner ON lambda_durable_operation (execution, parent) WHERE hidden = 0;

-- Events carry their bytes, so that the end of a page is found without reading what lies beyond it. Those from before
-- have their characters, which are no more.
ALTER TABLE lambda_durable_event RENAME TO lambda_durable_event_before;

CREATE TABLE lambda_durable_event (
    execution TEXT NOT NULL,
    id INTEGER NOT NULL,
    size INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (execution, id)
);

INSERT INTO lambda_durable_event (execution, id, size, record)
SELECT execution, id, LENGTH(record), record FROM lambda_durable_event_before;

DROP TABLE lambda_durable_event_before;
