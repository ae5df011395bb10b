CREATE TABLE lambda_capacity_provider (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE INDEX lambda_capacity_provider_unsettled ON lambda_capacity_provider (state)
    WHERE state IN ('Pending', 'Deleting');

-- The ARN of the capacity provider that a function or version is on; empty for all others.
ALTER TABLE lambda_function ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE lambda_version ADD COLUMN provider TEXT NOT NULL DEFAULT '';

CREATE INDEX lambda_function_provider ON lambda_function (provider, name) WHERE provider <> '';
CREATE INDEX lambda_version_provider ON lambda_version (provider, name, number) WHERE provider <> '';

-- One row per version whose number of environments was asked for.
CREATE TABLE lambda_function_scaling (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, number)
);
