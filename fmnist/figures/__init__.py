"""Functions that take results and return a matplotlib Figure; the caller saves it."""
