"""Cannot be imported."""

raise Exception("Runtime startup fails")
