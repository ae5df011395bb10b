-- Published versions. `pending` is 1 until it can be invoked or has failed for good.
CREATE TABLE lambda_version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, name, number)
);

CREATE INDEX lambda_version_pending ON lambda_version (pending) WHERE pending = 1;

CREATE TABLE lambda_alias (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, name)
);

-- One row per function that has reserved concurrency.
CREATE TABLE lambda_reservation (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    executions INTEGER NOT NULL,
    PRIMARY KEY (account, region, function)
);

-- One row per version or alias that has provisioned concurrency.
CREATE TABLE lambda_provision (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    requested INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);

-- One row per layer that ever was, with the number that was last given to a version of it.
CREATE TABLE lambda_layer (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    last_version INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE lambda_layer_version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, name, number)
);
