"""The operations of IAM, one module per noun."""
