"""Exploratory data analysis."""
