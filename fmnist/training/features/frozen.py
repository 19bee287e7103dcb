"""All that the head of a frozen backbone sees in one training: of the rows in use, of the test."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.models.factory import ModelSpec
from fmnist.training.features.store import Cached

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Features:
    """The features of all training rows in use, and of the test images."""

    used: Cached
    test: Cached

    @property
    def metrics(self) -> dict[str, float]:
        return {
            names.FEATURE_SECONDS: self.used.seconds + self.test.seconds,
            names.FEATURE_COST_SECONDS: self.used.cost + self.test.cost,
        }

    @property
    def tags(self) -> dict[str, str]:
        """`hit` when all was there, or else what was not."""
        found = (self.used.status, self.test.status)
        return {names.TAG_FEATURE_CACHE: next((one for one in found if one != "hit"), "hit")}

    def unmapped(self) -> "Features":
        """The same as plain arrays, which travel by content and not as the name of a file."""
        used, test = (replace(one, array=np.asarray(one.array)) for one in (self.used, self.test))
        return Features(used, test)


def frozen(spec: ModelSpec, used: Images, test: Images, cache: Path | None) -> Features | None:
    """From the cache or computed now; None for a network without a backbone.

    Args:
        used: (n, 28, 28) uint8, all training images in use.
        test: (k, 28, 28) uint8.
        cache: folder of the features, see `store.folder_of`; None will do without a backbone.

    Raises:
        WorkFailed: they cannot be stored.
    """
    if spec.transfer is None or cache is None:
        return None
    from fmnist.training.features.extraction import features  # with TensorFlow

    return Features(*(features(spec.transfer, images, cache) for images in (used, test)))
