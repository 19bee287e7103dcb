"""Answering over HTTP: MLflow's scoring server behind a gate.

`python -m fmnist.serving models:/NAME@champion` starts it.
"""
