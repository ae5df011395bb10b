"""Pure logic of the service: names, positions, chunks, batches, filter patterns."""
