"""From bytes to a checked data set, and its division into rows to fit and rows to choose by."""
