"""Pure ideas that every layer shares; nothing here imports another layer or opens a socket or a file."""
