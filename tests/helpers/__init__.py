"""What several tests share: sample data, logged runs, working folders for commands, servers."""
