-- The bytes of each stored zip, summed up for the account's limit. NULL in rows from before, whose record tells.
ALTER TABLE lambda_function ADD COLUMN code_size INTEGER;
ALTER TABLE lambda_version ADD COLUMN code_size INTEGER;
ALTER TABLE lambda_layer_version ADD COLUMN code_size INTEGER;

CREATE INDEX lambda_function_code_size ON lambda_function (account, region, code_size);
CREATE INDEX lambda_version_code_size ON lambda_version (account, region, code_size);
CREATE INDEX lambda_layer_version_code_size ON lambda_layer_version (account, region, code_size);
