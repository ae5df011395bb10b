"""The service's only SQL, a module per noun."""
