"""The operations of CloudWatch Logs, a module per noun."""
