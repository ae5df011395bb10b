"""The pure logic of STS."""
