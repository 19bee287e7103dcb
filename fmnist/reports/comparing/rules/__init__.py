"""Rules that make sentences of measured numbers: each says nothing where it has none."""
