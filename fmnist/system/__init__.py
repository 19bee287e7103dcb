"""Signals, locks, atomic files and progress."""
