"""The operations of STS, one module per noun."""
