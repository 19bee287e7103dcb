"""Folds on the machines of an existing Ray or Dask cluster.

joblib has a backend for both, but Ray's cannot give results as they come, and one machine that is
lost would take all folds with it. Ray and Dask themselves train a lost fold again.
"""
