"""`python -m fmnist COMMAND`: every command that is not an MLflow entry point.

Imports only the standard library until a command is chosen: `doctor` must also work where the
project's packages are missing.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

_MODEL = "models:/NAME@ALIAS, runs:/RUN_ID, or a directory with a stored model"
_EXAMPLES = {
    "doctor": ("", "--data_dir ~/my-dataset"),
    "sync": ("", "~/.local/state/fmnist/journal/RUN_ID"),
    "reap": ("", "--really --silent_hours 48"),
    "cache": ("list", "prune --unused_days 30"),
    "predict": ("models:/lenet5@champion shirt.jpg", "models:/lenet5/1 *.png --save seen"),
    "serve": ("models:/lenet5@champion", "models:/lenet5/1 --port 8080"),
    "options": ("", "table"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    from fmnist.system.environment import require_home, require_utf8
    from fmnist.system.output import guarded_output

    require_utf8()
    with guarded_output():
        require_home()
        return _run(_parser().parse_args(arguments))


def _run(chosen: argparse.Namespace) -> int:
    try:
        code: int = chosen.command(chosen)
        sys.stdout.flush()  # an error after the end would have no message
    except Exception as error:
        from fmnist.errors import CommandError

        if not isinstance(error, CommandError):
            raise
        print(f"{chosen.name}: {error}", file=sys.stderr)
        return error.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fmnist", description="Project commands.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="check this machine and suggest fixes")
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("--data_dir", default="auto", help="directory with the dataset")
    doctor.add_argument("--cache_dir", default="auto", help="cache directory")
    doctor.add_argument(
        "--relocate",
        action="store_true",
        help="correct the locations of files in a moved or copied SQLite store, keeping a backup",
    )

    sync = commands.add_parser("sync", help="upload tracking records that were kept on disk")
    sync.set_defaults(command=_sync)
    sync.add_argument(
        "folder", nargs="?", type=Path, help="records of one run or of several (default: all)"
    )

    reap = commands.add_parser("reap", help="mark runs of dead processes as KILLED")
    reap.set_defaults(command=_reap)
    reap.add_argument("--really", action="store_true", help="change the runs, not only list them")
    reap.add_argument(
        "--silent_hours",
        type=float,
        default=24.0,
        help="runs of other machines count as dead after this many hours without a metric",
    )

    cache = commands.add_parser("cache", help="list or prune cached features")
    cache.set_defaults(command=_cache)
    cache.add_argument("action", choices=["list", "prune"])
    cache.add_argument("--cache_dir", default="auto", help="cache directory")
    cache.add_argument("--unused_days", type=float, help="prune entries unused for this many days")
    cache.add_argument(
        "--keep_gigabytes", type=float, help="prune the least recently used above this size"
    )

    predict = commands.add_parser("predict", help="classify photos (PNG or JPEG)")
    predict.set_defaults(command=_predict)
    predict.add_argument("model", help=_MODEL)
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE", help="photo of one object")
    predict.add_argument(
        "--save", type=Path, metavar="DIRECTORY", help="save the images that the model receives"
    )

    serve = commands.add_parser("serve", help="serve predictions of a model over HTTP")
    serve.set_defaults(command=_serve)
    serve.add_argument("model", help=_MODEL)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=5001, help="port to listen on")
    serve.add_argument(
        "--hosts", default="127.0.0.1,localhost", help="accepted Host headers, comma-separated"
    )
    serve.add_argument(
        "--max_megabytes", type=float, default=8.0, help="largest accepted request body"
    )

    options = commands.add_parser(
        "options", help="list the recipes, or print docs/options.md or the MLproject file"
    )
    options.set_defaults(command=_options)
    formats = ["recipes", "table", "mlproject"]
    options.add_argument("format", nargs="?", choices=formats, default="recipes")
    for listed in commands._choices_actions:
        _complete_help(commands.choices[listed.dest], listed.dest, listed.help or "")
    return parser


def _complete_help(command: argparse.ArgumentParser, name: str, description: str) -> None:
    """Add description, defaults and two examples, in 80 columns."""
    command.description = f"{description[0].upper()}{description[1:]}."
    command.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80)
    for action in command._actions:
        if action.default not in (None, False, argparse.SUPPRESS):
            action.help = f"{action.help or action.dest} [default %(default)s]"
    examples = "".join(
        f"\n  python -m fmnist {name} {example}".rstrip() for example in _EXAMPLES[name]
    )
    command.epilog = f"examples:{examples}"


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


def _reap(chosen: argparse.Namespace) -> int:
    from fmnist.tracking.preflight import check_store

    check_store(opens_run=False)
    from fmnist.tracking.orphans import reap
    from fmnist.tracking.store import open_store
    from fmnist.tracking.ui import print_experiment

    reap(open_store(), chosen.silent_hours, chosen.really)
    print_experiment()
    return 0


def _cache(chosen: argparse.Namespace) -> int:
    from fmnist.training.features import cache_cli

    if chosen.action == "list":
        cache_cli.list_cache(chosen.cache_dir)
    else:
        cache_cli.prune_cache(chosen.cache_dir, chosen.unused_days, chosen.keep_gigabytes)
    return 0


def _predict(chosen: argparse.Namespace) -> int:
    from fmnist.serving.classify import predict

    predict(chosen.model, chosen.files, chosen.save)
    return 0


def _serve(chosen: argparse.Namespace) -> int:
    from fmnist.serving.app import serve

    serve(chosen.model, chosen.host, chosen.port, chosen.hosts, chosen.max_megabytes)
    return 0


def _options(chosen: argparse.Namespace) -> int:
    from fmnist.options.mlproject import mlproject, options_page, recipes_table

    pages = {"recipes": recipes_table, "table": options_page, "mlproject": mlproject}
    print(pages[chosen.format](), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
