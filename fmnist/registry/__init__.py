"""Promotion of registered models through gates."""
