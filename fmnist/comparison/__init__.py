"""Compare logged runs: selection, statistics, findings and the report page."""
