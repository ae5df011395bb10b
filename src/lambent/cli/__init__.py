"""The `lambent` command, one module per subcommand."""
