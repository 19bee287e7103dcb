"""From runs that were found to a comparison of them, its tables and its words."""
