"""Serving predictions over HTTP: `python -m fmnist serve MODEL`."""
