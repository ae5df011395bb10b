-- Event source mappings. `function` is the ARN of what is invoked, `source` the ARN that is read from, empty where AWS
-- does not manage the source. `settled` is 0 while a change is under way.
CREATE TABLE lambda_mapping (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    uuid TEXT NOT NULL,
    function TEXT NOT NULL,
    source TEXT NOT NULL,
    settled INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, uuid)
);

CREATE INDEX lambda_mapping_by_function ON lambda_mapping (account, region, function, uuid);
CREATE INDEX lambda_mapping_unsettled ON lambda_mapping (settled) WHERE settled = 0;

-- One row per version or alias whose asynchronous invocation is configured.
CREATE TABLE lambda_event_invoke (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);
