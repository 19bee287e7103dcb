"""Tables and words made of results."""
