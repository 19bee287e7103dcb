"""All traffic with MLflow; no other package imports it."""
