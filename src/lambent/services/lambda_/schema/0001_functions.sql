-- One row per function. `settled` is 0 while a creation or an update still has to be completed.
CREATE TABLE lambda_function (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    settled INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE INDEX lambda_function_unsettled ON lambda_function (settled) WHERE settled = 0;
