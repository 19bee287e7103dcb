"""Shared figure style and plots that several features use."""
