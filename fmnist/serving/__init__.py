"""Answering over HTTP: MLflow's scoring server behind a gate.

`python -m fmnist serve models:/NAME@champion` starts it.
"""
