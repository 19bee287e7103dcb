"""Command line of an entry point, generated from its options."""

import argparse
import difflib
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin

from pydantic.fields import FieldInfo

from fmnist.errors import BadInput
from fmnist.options.base import (
    RENAMED_OPTIONS,
    CacheOptions,
    DataOptions,
    Options,
    TrainingOptions,
)
from fmnist.options.recipe import RecipeOptions
from fmnist.options.train import FitOptions, ModelOptions

T = TypeVar("T", bound=Options)

TYPE_NAMES: Final[Mapping[Any, str]] = {int: "integer", float: "number", str: "text"}
_WIDTH: Final = 80
_LIMITS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}

# Groups of `--help`, by the class that declares the option. Options of other classes are listed
# before, as those of the entry point itself.
_GROUPS: Final[Mapping[type, str]] = {
    ModelOptions: "model",
    TrainingOptions: "training",
    FitOptions: "training",
    RecipeOptions: "recipe: techniques that change the training",
    DataOptions: "data",
    CacheOptions: "data",
    Options: "tracking",
}

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "main": ("--train_size 2000 --epochs 2 --tsne_rows 2000", "--output_dir study"),
    "eda": ("--tsne_rows 5000", "--data_dir ~/my-dataset --tsne_rows 0"),
    "train": ("--train_size 2000 --epochs 2", "--recipe lenet5-10"),
    "crossval": ("--train_size 5000 --folds 3 --epochs 3", "--recipe strong --repeats 2"),
    "compare": ("--output_dir comparison", "--models lenet5,convnet"),
    "tune": (
        "--train_size 5000 --trials 10 --epochs 3",
        "--search learning_rate,dropout --trials 30",
    ),
    "promote": (
        "--register_as lenet5 --min_val_accuracy 0.85",
        "--register_as lenet5 --to_version 1",
    ),
}


def parse(options: type[T], arguments: Sequence[str], entry_point: str) -> T:
    """Parse command-line arguments.

    Raises:
        BadInput: an option is unknown, has been renamed, or has an invalid value.
        SystemExit: after `--help` (code 0).
    """
    parser = _create_parser(options, entry_point)
    given, rest = parser.parse_known_args([_normalize(argument) for argument in arguments])
    if rest:
        raise BadInput(_explain_unknown(rest[0], options))
    return options.model_validate(vars(given))


def describe_values(field: FieldInfo) -> str:
    """Format the accepted values of an option: choices or limits, "" for any text."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(get_args(field.annotation))
    limits = {
        key: getattr(rule, key) for rule in field.metadata for key in _LIMITS if hasattr(rule, key)
    }
    if limits.keys() == {"ge", "le"}:
        return f"{limits['ge']:,} to {limits['le']:,}"
    return ", ".join(f"{_LIMITS[key]} {value:,}" for key, value in limits.items())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see --help")


def _create_parser(options: type[Options], entry_point: str) -> argparse.ArgumentParser:
    program, own = f"python -m entrypoints.{entry_point}", f"options of {entry_point}"
    examples = "".join(f"\n  {program} {example}" for example in EXAMPLES[entry_point])
    parser = _Parser(
        prog=program,
        usage="%(prog)s [--OPTION VALUE ...]",
        description=textwrap.fill(options.__doc__ or "", _WIDTH),
        epilog=f"examples:{examples}",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=26, width=_WIDTH
        ),
    )
    groups = {title: parser.add_argument_group(title) for title in (own, *_GROUPS.values())}
    for owner in reversed(options.__mro__):
        for name in vars(owner).get("__annotations__", ()):
            if field := options.model_fields.get(name):
                metavar = TYPE_NAMES.get(field.annotation, "choice").upper()
                group = groups[_GROUPS.get(owner, own)]
                group.add_argument(f"--{name}", metavar=metavar, help=_help(field))
    return parser


def _help(field: FieldInfo) -> str:
    facts = filter(None, (describe_values(field), f"default {field.default}"))
    return f"{field.description} [{'; '.join(facts)}]".replace("%", "%%")


def _normalize(argument: str) -> str:
    """Accept `--train-size` for `--train_size`."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}"


def _explain_unknown(argument: str, options: type[Options]) -> str:
    if not argument.startswith("--"):
        return f"unexpected argument {argument}; options are given as --NAME VALUE, see --help"
    name = argument.removeprefix("--").partition("=")[0]
    new_name = RENAMED_OPTIONS.get(name)
    if new_name in options.model_fields:
        return f"--{name} has been renamed; use --{new_name} (-P {new_name}=...)"
    similar = difflib.get_close_matches(name, options.model_fields, n=1)
    hint = f"did you mean --{similar[0]}? " if similar else ""
    return f"unknown option --{name}; {hint}see --help"
