"""`python -m fmnist serve MODEL`: a registered model behind a gate."""

import os
import sys
from typing import Annotated

import tyro

from fmnist.errors import BadInput, WorkFailed
from fmnist.serving.gate import PIXELS, Gate
from fmnist.tracking.address import check_server

_MEGABYTE = 1_000_000
_REQUESTS_AT_ONCE = 64


def main(
    model: tyro.conf.Positional[str],
    host: str = "127.0.0.1",
    port: Annotated[int, tyro.conf.arg(metavar="PORT")] = 5001,
    hosts: str = "127.0.0.1,localhost",
    max_megabytes: float = 8.0,
) -> None:
    """Serve a model on /invocations, with /ping to ask whether it is up.

    Args:
        model: what MLflow calls it, such as models:/lenet5@champion; an alias is looked up once,
            at the start.
        host: address to listen on.
        port: port to listen on.
        hosts: names that requests may call this server by, with commas between.
        max_megabytes: longest body; an image takes up to 0.004.
    """
    check_server()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    names = frozenset(name.strip().lower() for name in hosts.split(","))
    import uvicorn

    from fmnist.tracking.scoring import scoring_app

    uvicorn.run(
        Gate(scoring_app(model, PIXELS), names, int(max_megabytes * _MEGABYTE)),
        host=host,
        port=port,
        limit_concurrency=_REQUESTS_AT_ONCE,
        server_header=False,
    )


if __name__ == "__main__":
    try:
        tyro.cli(main, prog="python -m fmnist serve", use_underscores=True)
    except (BadInput, WorkFailed) as error:
        print(f"serving: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, BadInput) else 1)
