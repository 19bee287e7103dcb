"""Signals, locks, atomic directory writes, memory, console and progress."""
