"""Records of runs, kept on disk until the tracking server has them."""
