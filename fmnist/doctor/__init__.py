"""`python -m fmnist doctor`: what usually goes wrong, looked at before it does."""
