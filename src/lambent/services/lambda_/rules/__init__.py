"""The pure logic of the Lambda service."""
