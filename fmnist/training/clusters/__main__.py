"""`python -m fmnist.training.clusters ray|dask ADDRESS`: print how many cores the cluster has."""

import sys

backend, address = sys.argv[1:]
if backend == "ray":
    from fmnist.training.clusters.on_ray import connect
else:
    from fmnist.training.clusters.on_dask import connect
print(connect(address))
