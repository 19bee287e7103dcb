"""Numbers worked out from a model's answers: scores and their uncertainty."""
