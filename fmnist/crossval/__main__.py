"""`python -m fmnist.training.clusters ray|dask ADDRESS`: print how many cores the cluster has."""

import sys

backend, address = sys.argv[1:]
if backend == "ray":
    from fmnist.crossval.ray_backend import connect
else:
    from fmnist.crossval.dask_backend import connect
print(connect(address))
