"""Find, read and check the dataset, and select its rows."""
