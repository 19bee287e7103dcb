"""Metrics, statistics and tables of predictions."""
