"""Which run a training goes on with, and where the checkpoints of its run are."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fmnist import names
from fmnist.errors import BadInput
from fmnist.options import Configuration, Train
from fmnist.system.atomic import remove_dir
from fmnist.system.locks import lock_directory
from fmnist.training import checkpoint_dirs
from fmnist.training.checkpoint_dirs import Place


class Resumption:
    """The way of one training from its checkpoints, if it has any, to their end.

    Args:
        keeps: whether there are to be checkpoints.
        earlier: of the run to go on with, held by this process; None for a new run.
    """

    def __init__(self, configuration: Configuration, *, keeps: bool, earlier: Place | None) -> None:
        self._configuration = earlier.configuration if earlier else configuration
        self._keeps = keeps
        self._place = earlier
        self.run_id = earlier.run_id if earlier else None
        self._warning = _elsewhere(earlier, configuration) if earlier else ""
        if earlier:
            print(f"train: goes on with run {self.run_id} (resume=off begins anew)", flush=True)
        if self._warning:
            print(f"train: warning: {self._warning}", file=sys.stderr, flush=True)

    @property
    def tags(self) -> dict[str, str]:
        """What the run says of it: the configuration that it was begun with."""
        told = {names.TAG_CONFIG_DIGEST: self._configuration.digest}
        return told | ({names.TAG_RESUMED_WITH: self._warning} if self._warning else {})

    def folder(self, run_id: str) -> Path | None:
        """Where the checkpoints of this run are; None if there are none."""
        if self._keeps and self._place is None:
            try:
                self._place = checkpoint_dirs.begin(run_id, self._configuration)
                lock_directory(self._place.folder)
            except OSError as error:
                print(
                    f"checkpoints: none can be kept in {checkpoint_dirs.root()} "
                    f"({error.strerror or error}); name another folder in "
                    f"{names.CHECKPOINT_DIR}; training goes on",
                    flush=True,
                )
        return self._place.folder if self._place else None

    def forget(self) -> None:
        """Remove the checkpoints: the run is stored."""
        if self._place:
            with suppress(OSError):  # `forget_old` will
                remove_dir(self._place.folder)


def find(options: Train, configuration: Configuration) -> Resumption:
    """What the options `resume` and `checkpoints` come to.

    Raises:
        BadInput: the run that is named cannot go on, or is of another configuration.
    """
    if options.checkpoints == "off":
        return Resumption(configuration, keeps=False, earlier=None)
    checkpoint_dirs.forget_old()
    earlier = None
    if options.resume == "auto":
        earlier = _newest(configuration)
    elif options.resume != "off":
        earlier = _named(options.resume, configuration)
    return Resumption(configuration, keeps=True, earlier=earlier)


def _newest(configuration: Configuration) -> Place | None:
    """The place of the newest unfinished run of the configuration that has a checkpoint."""
    here = {
        place.run_id: place
        for place in checkpoint_dirs.there()
        if place.configuration == configuration and not place.is_empty
    }
    if not here:
        return None
    from fmnist.tracking import search

    run_id = search.find_run_to_resume("auto", "train", configuration.digest, here)
    if run_id is None:
        return None
    try:
        lock_directory(here[run_id].folder)
    except (BlockingIOError, FileNotFoundError):  # it was taken, or done, meanwhile
        return None
    return here[run_id]


def _named(run_id: str, configuration: Configuration) -> Place:
    place = checkpoint_dirs.of_run(run_id)
    if place is None or place.is_empty:
        raise BadInput(
            f"resume={run_id}: no checkpoint of that run in {checkpoint_dirs.root()}; wanted the "
            "id of an unfinished run that was killed on this machine after its first epoch, or auto"
        )
    _refuse_another(run_id, place.configuration, configuration)
    from fmnist.tracking import search

    search.find_run_to_resume(run_id, "train", place.configuration.digest)
    try:
        lock_directory(place.folder)
    except (BlockingIOError, FileNotFoundError) as error:
        raise BadInput(f"resume={run_id}: another process works on that run") from error
    return place


def _refuse_another(run_id: str, made: Configuration, asked: Configuration) -> None:
    """Return if both are the same but for the versions of libraries."""
    options = _first_difference(made.options, asked.options)
    parts = _first_difference({"data": made.data, "code": made.code}, vars(asked))
    if different := options or parts:
        name, before, now = different
        raise BadInput(
            f"resume={run_id}: that run has {name}={before}, and {name}={now} was asked for; only "
            "the same options, data and code can go on; give it those, or begin anew (resume=off)"
        )


def _elsewhere(place: Place, configuration: Configuration) -> str:
    """What is not as where the checkpoints were made, in words; "" if all is."""
    before = {**place.machine, **place.configuration.libraries}
    now = {**checkpoint_dirs.this_machine(), **configuration.libraries}
    different = [name for name in now if before.get(name) != now[name]]
    if not different:
        return ""
    changes = "; ".join(f"{name} {before.get(name)}, now {now[name]}" for name in different)
    return (
        f"run {place.run_id} was begun elsewhere ({changes}): what comes now may differ in its "
        "last digits from what it would have been there"
    )


def _first_difference(
    made: Mapping[str, str], asked: Mapping[str, object]
) -> tuple[str, str, object] | None:
    """The first name with another value, and both values."""
    for name, value in made.items():
        if asked.get(name) != value:
            return name, value, asked.get(name)
    return None
