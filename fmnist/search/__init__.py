"""The search of `tune`: a study in a database, trials in processes of their own."""
