"""What several tests share: sample data, logged runs, workspaces for commands, servers."""

# The variable with the temporary folder of the whole suite.
SUITE_DIR = "FMNIST_TEST_SUITE_DIR"
