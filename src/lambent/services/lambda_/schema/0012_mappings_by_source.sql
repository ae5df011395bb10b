-- Mappings are listed by what they read from, too, however many others the account has.
CREATE INDEX lambda_mapping_by_source ON lambda_mapping (account, region, source, uuid);
