-- Function URLs. `qualifier` is `$LATEST` for that of the function itself, otherwise an alias's name; `name` is the
-- first label of the URL's host.
CREATE TABLE lambda_url (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);
