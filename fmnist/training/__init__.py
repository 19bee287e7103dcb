"""Fitting a network: threads, order of the rows, the loop."""
