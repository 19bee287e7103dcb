"""`python -m fmnist COMMAND`: every command that is not an MLflow entry point.

Imports only the standard library until a command is chosen: `doctor` must also work where the
project's packages are missing.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

_MODEL = "models:/NAME@ALIAS, runs:/RUN_ID, or a directory with a stored model"
_DEFAULT = "[default %(default)s]"


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    from fmnist.system.console import open_console
    from fmnist.system.environment import require_home, require_utf8

    require_utf8()
    with open_console(show_status=False):
        require_home()
        return _run(_create_parser().parse_args(arguments))


def _run(chosen: argparse.Namespace) -> int:
    try:
        code: int | None = chosen.run(chosen)
        sys.stdout.flush()  # an error after the end would have no message
    except Exception as error:
        from fmnist.errors import CommandError

        if not isinstance(error, CommandError):
            raise
        print(f"{chosen.name}: {error}", file=sys.stderr)
        return error.exit_code
    return code or 0


def _create_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fmnist", description="Project commands.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    def add(
        run: Callable[[argparse.Namespace], int | None], description: str, *examples: str
    ) -> Callable[..., argparse.Action]:
        """Add a command; return the function that adds its arguments."""
        name = run.__name__.removeprefix("_")
        lines = [f"  python -m fmnist {name} {example}".rstrip() for example in examples]
        command = commands.add_parser(
            name,
            help=description,
            description=f"{description[0].upper()}{description[1:]}.",
            epilog="\n".join(["examples:", *lines]),
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=80),
        )
        command.set_defaults(run=run)
        return command.add_argument

    option = add(_doctor, "check this machine and suggest fixes", "", "--data_dir ~/my-dataset")
    option("--data_dir", default="auto", help=f"directory with the dataset {_DEFAULT}")
    option("--cache_dir", default="auto", help=f"cache directory {_DEFAULT}")
    option(
        "--relocate",
        action="store_true",
        help="correct the locations of files in a moved or copied SQLite store, keeping a backup",
    )

    option = add(
        _sync,
        "upload tracking records that were kept on disk",
        "",
        "~/.local/state/fmnist/journal/RUN_ID",
    )
    option("folder", nargs="?", type=Path, help="records of one run or of several (default: all)")

    option = add(_reap, "mark runs of dead processes as KILLED", "", "--really --silent_hours 48")
    option("--really", action="store_true", help="change the runs, not only list them")
    option(
        "--silent_hours",
        type=float,
        default=24.0,
        help="runs of other machines count as dead after this many hours without a metric "
        f"{_DEFAULT}",
    )

    option = add(_cache, "list or prune cached features", "list", "prune --unused_days 30")
    option("action", choices=["list", "prune"])
    option("--cache_dir", default="auto", help=f"cache directory {_DEFAULT}")
    option("--unused_days", type=float, help="prune entries unused for this many days")
    option("--keep_gigabytes", type=float, help="prune the least recently used above this size")

    option = add(
        _predict,
        "classify photos (PNG or JPEG)",
        "models:/lenet5@champion shirt.jpg",
        "models:/lenet5/1 *.png --save seen",
    )
    option("model", help=_MODEL)
    option("files", nargs="+", type=Path, metavar="FILE", help="photo of one object")
    option("--save", type=Path, metavar="DIRECTORY", help="save the images that the model receives")

    option = add(
        _serve,
        "serve predictions of a model over HTTP",
        "models:/lenet5@champion",
        "models:/lenet5/1 --port 8080",
    )
    option("model", help=_MODEL)
    option("--host", default="127.0.0.1", help=f"address to listen on {_DEFAULT}")
    option("--port", type=int, default=5001, help=f"port to listen on {_DEFAULT}")
    hosts = f"accepted Host headers, comma-separated {_DEFAULT}"
    option("--hosts", default="127.0.0.1,localhost", help=hosts)
    megabytes = f"largest accepted request body {_DEFAULT}"
    option("--max_megabytes", type=float, default=8.0, help=megabytes)

    option = add(
        _options, "list the recipes, or print docs/options.md or the MLproject file", "", "table"
    )
    formats = ["recipes", "table", "mlproject"]
    option("format", nargs="?", choices=formats, default="recipes", help=f"format {_DEFAULT}")
    return parser


def _doctor(chosen: argparse.Namespace) -> int:
    if chosen.relocate:
        from fmnist.tracking.relocate import relocate

        relocate()
        return 0
    from fmnist import doctor

    return doctor.main(chosen.data_dir, chosen.cache_dir)


def _sync(chosen: argparse.Namespace) -> int:
    from fmnist.tracking.address import is_server, tracking_uri
    from fmnist.tracking.offline.sync import sync
    from fmnist.tracking.ui import print_experiment

    code = sync(chosen.folder)
    if code == 0 and is_server(tracking_uri()):
        print_experiment()
    return code


def _reap(chosen: argparse.Namespace) -> None:
    from fmnist.tracking.preflight import check_store

    check_store(opens_run=False)
    from fmnist.tracking.orphans import reap
    from fmnist.tracking.store import open_store
    from fmnist.tracking.ui import print_experiment

    reap(open_store(), chosen.silent_hours, chosen.really)
    print_experiment()


def _cache(chosen: argparse.Namespace) -> None:
    from fmnist.training.features import cache_cli

    if chosen.action == "list":
        cache_cli.list_cache(chosen.cache_dir)
    else:
        cache_cli.prune_cache(chosen.cache_dir, chosen.unused_days, chosen.keep_gigabytes)


def _predict(chosen: argparse.Namespace) -> None:
    from fmnist.serving.classify import predict

    predict(chosen.model, chosen.files, chosen.save)


def _serve(chosen: argparse.Namespace) -> None:
    from fmnist.serving.app import serve

    serve(chosen.model, chosen.host, chosen.port, chosen.hosts, chosen.max_megabytes)


def _options(chosen: argparse.Namespace) -> None:
    from fmnist.options.mlproject import mlproject, options_page, recipes_table

    pages = {"recipes": recipes_table, "table": options_page, "mlproject": mlproject}
    print(pages[chosen.format](), end="")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
