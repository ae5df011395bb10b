"""The operations of the Lambda service, one module per noun."""
