"""Comparison of finished training runs."""
