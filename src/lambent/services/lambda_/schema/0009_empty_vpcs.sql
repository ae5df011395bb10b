-- A VPC that names nothing was a mark in the record before there were others. Text within JSON has no bare quotes, so
-- nothing else is spelt like this.
UPDATE lambda_function SET record = REPLACE(record, '"empty_vpc":true', '"vpc":{}');
UPDATE lambda_version SET record = REPLACE(record, '"empty_vpc":true', '"vpc":{}');
