"""The complete study: every step of the reference report."""
