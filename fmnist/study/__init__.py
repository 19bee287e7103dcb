"""The complete study of the reference report."""
