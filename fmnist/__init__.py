"""LeNet-5 against transfer learning on Fashion-MNIST, as a tracked MLflow Project."""

import sys

# Other modules use syntax that older versions of Python cannot parse.
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.stderr.write(
        f"fmnist needs Python 3.11, 3.12 or 3.13, but {sys.executable} is "
        f"{sys.version_info[0]}.{sys.version_info[1]}; create an environment as in README.md\n"
    )
    sys.exit(2)
