-- Names are unique whatever their case: `name_key` is the name in lower case.
CREATE TABLE iam_role (
    account TEXT NOT NULL,
    name_key TEXT NOT NULL,
    path TEXT NOT NULL,
    boundary TEXT,
    record TEXT NOT NULL,
    PRIMARY KEY (account, name_key)
);
CREATE INDEX iam_role_by_boundary ON iam_role (account, boundary);

CREATE TABLE iam_role_policy (
    account TEXT NOT NULL,
    role_key TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, role_key, name)
);

-- Managed policies on roles; `number` keeps the order in which they were attached.
CREATE TABLE iam_attachment (
    account TEXT NOT NULL,
    role_key TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (account, role_key, policy_arn)
);
CREATE INDEX iam_attachment_by_policy ON iam_attachment (account, policy_arn);

CREATE TABLE iam_policy (
    account TEXT NOT NULL,
    name_key TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, name_key)
);

CREATE TABLE iam_policy_version (
    account TEXT NOT NULL,
    policy_key TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, policy_key, number)
);
