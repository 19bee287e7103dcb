"""What a frozen backbone makes of images: computed once, kept in a file, shared by every fit.

`python -m fmnist cache list` shows the cache, `… prune` makes room in it.
"""
