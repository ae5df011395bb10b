-- One row per function, version or alias that has a policy. `qualifier` is empty for the function itself.
CREATE TABLE lambda_policy (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);

-- One row per layer version that has a policy.
CREATE TABLE lambda_layer_policy (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    revision_id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name, number)
);

CREATE TABLE lambda_signing (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);

-- One row per function whose packages are checked, with the configuration that says how.
CREATE TABLE lambda_function_signing (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (account, region, function)
);

CREATE INDEX lambda_function_signing_users ON lambda_function_signing (account, region, id, function);
