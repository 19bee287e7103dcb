"""Immutable results that packages pass to each other."""
