"""The pure logic of IAM."""
