"""Lambent: AWS Lambda that you own."""
