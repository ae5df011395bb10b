-- The bytes of each stored zip, summed up for the account's limit. NULL in rows from before, whose record tells.
ALTER TABLE lambda_function ADD COLUMN code_size INTEGER;
ALTER TABLE lambda_version ADD COLUMN code_size INTEGER;
ALTER TABLE lambda_layer_version ADD COLUMN code_size INTEGER;
