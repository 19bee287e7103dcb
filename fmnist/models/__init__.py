"""The networks, as a table of frozen specs."""
