"""HTTP to (service, operation, dict) and back, driven by botocore's service models."""
