-- One row per durable execution. `due_ms` is when somebody has to look at it: milliseconds since the epoch. `running` is
-- 1 while one of its invocations is under way.
CREATE TABLE lambda_durable_execution (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    running INTEGER NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (account, region, function, name)
);

CREATE INDEX lambda_durable_execution_due ON lambda_durable_execution (due_ms);

CREATE INDEX lambda_durable_execution_started ON lambda_durable_execution (account, region, function, started_ms, id);

CREATE INDEX lambda_durable_execution_running ON lambda_durable_execution (running) WHERE running = 1;

-- What an execution has done and is doing. `hidden` is 1 where no replay needs it, `waiting` while it goes on without
-- the function, `running` while the function that it calls is under way.
CREATE TABLE lambda_durable_operation (
    execution TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT,
    ordinal INTEGER NOT NULL,
    change INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    running INTEGER NOT NULL,
    due_ms INTEGER,
    size INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (execution, id)
);

CREATE INDEX lambda_durable_operation_order ON lambda_durable_operation (execution, ordinal);

CREATE INDEX lambda_durable_operation_parent ON lambda_durable_operation (execution, parent);

CREATE INDEX lambda_durable_operation_waiting ON lambda_durable_operation (execution, due_ms) WHERE waiting = 1;

CREATE INDEX lambda_durable_operation_running ON lambda_durable_operation (running) WHERE running = 1;

CREATE TABLE lambda_durable_event (
    execution TEXT NOT NULL,
    id INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (execution, id)
);
