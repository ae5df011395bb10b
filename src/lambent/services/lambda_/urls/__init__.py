"""Function URLs: from a web request to an event, and from an answer to a web answer."""
