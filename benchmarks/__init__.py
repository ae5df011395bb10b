"""Measures the promises of SPECIFICATION.md, each against a baseline taken interleaved in the same run."""
