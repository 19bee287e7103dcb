"""The GPUs of this machine, found without importing TensorFlow."""

import os
import re
from pathlib import Path
from typing import Final

_DRIVER: Final = Path("/proc/driver/nvidia/gpus")  # Linux


def gpu_names() -> list[str]:
    """Return the names of the NVIDIA GPUs that TensorFlow may use; CUDA_VISIBLE_DEVICES hides them.

    Results on a GPU differ in the last digits, and more with batch normalization, which uses the
    statistics of whole batches there. So the device is part of the configuration digest.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1", "none"):
        return []
    names = []
    for path in sorted(_DRIVER.glob("*/information")):
        model = re.search(r"Model:\s*(.+)", path.read_text(errors="replace"))
        names.append(model[1].strip() if model else "NVIDIA GPU")
    return names
