"""Hyperparameter search and ablation."""
