"""Records kept on disk while a tracking server is unavailable."""
