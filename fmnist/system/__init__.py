"""Signals, locks, atomic directory writes, memory use and progress output."""
