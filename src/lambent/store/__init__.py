"""The durable engine: transactions, blobs, outbox and migrations behind one small port."""
