"""Select the runs to compare."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from fmnist import names
from fmnist.comparison.results import ExcludedRun
from fmnist.errors import BadInput
from fmnist.options import Train
from fmnist.results.runs import RunRecord

# More models would give a page with thousands of pairs.
MAX_MODELS: Final = 50
# For each reason, at most this many excluded runs are listed; the others are counted.
_MAX_LISTED: Final = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Candidate:
    """A run to compare and its parsed options."""

    record: RunRecord
    options: Train

    @property
    def data_digest(self) -> str:
        return self.record.tags.get(names.TAG_DATA_DIGEST, "unknown")

    @property
    def configuration(self) -> tuple[Hashable, ...]:
        """What determines the result, apart from the versions of code and libraries."""
        weights = self.record.tags.get(names.TAG_WEIGHTS_DIGEST)
        return self.data_digest, weights, *self.options.fingerprint_fields().values()


@dataclass(frozen=True)
class Selection:
    """The selected runs, newest first, and the excluded ones."""

    candidates: tuple[Candidate, ...]
    excluded: tuple[ExcludedRun, ...]


def select_newest(records: Iterable[RunRecord], models: Sequence[str]) -> Selection:
    """Select the newest finished run of each configuration, on the most frequent data set.

    Args:
        records: runs of `train`, newest first.
        models: only these models; empty for all.

    Raises:
        BadInput: there are more configurations than one comparison can show.
    """
    newest: dict[tuple[Hashable, ...], Candidate] = {}
    unfinished: dict[tuple[Hashable, ...], ExcludedRun] = {}
    unreadable: list[ExcludedRun] = []
    counts: Counter[str] = Counter()
    for record in records:
        if names.TAG_ABLATION in record.tags:
            counts["trained for an ablation"] += 1
            continue
        try:
            candidate = Candidate(record, _parse_options(record))
        except BadInput as error:
            unreadable.append(exclude(record, str(error)))
            continue
        if models and candidate.options.model not in models:
            continue
        configuration = candidate.configuration
        if not record.is_finished:
            if configuration not in newest:
                reason = exclude(record, _describe_status(record))
                unfinished.setdefault(configuration, reason)
        elif configuration not in newest:
            newest[configuration] = candidate
        else:
            digests = [
                run.tags.get(names.TAG_CONFIG_DIGEST)
                for run in (record, newest[configuration].record)
            ]
            if digests[0] == digests[1]:
                counts["replaced by a newer run of the same configuration"] += 1
            else:
                counts["replaced by a newer run with other versions of code or libraries"] += 1
    candidates, others = split_by_most_frequent(
        list(newest.values()), [each.data_digest for each in newest.values()]
    )
    if len(candidates) > MAX_MODELS:
        raise BadInput(
            f"expected at most {MAX_MODELS} configurations to compare, got {len(candidates)}; "
            "restrict them with runs, models or experiments"
        )
    excluded = [
        *_shorten(
            [exclude(each.record, f"other data set ({each.data_digest})") for each in others],
            "other data set",
        ),
        *_shorten(list(unfinished.values()), "not finished"),
        *_shorten(unreadable, "options cannot be read"),
        *(_count(number, reason) for reason, number in counts.items()),
    ]
    return Selection(tuple(candidates), tuple(excluded))


def select_by_id(records: Sequence[RunRecord]) -> Selection:
    """Select the runs that the user has named.

    Raises:
        BadInput: one is not a finished run of `train`, or they used different data sets.
    """
    candidates = []
    for record in records:
        if record.kind != "train":
            raise BadInput(f"runs={record.run_id}: expected a run of train, got {record.kind}")
        if not record.is_finished:
            raise BadInput(
                f"runs={record.run_id}: expected a finished run, got {_describe_status(record)}"
            )
        try:
            candidates.append(Candidate(record, _parse_options(record)))
        except BadInput as error:
            raise BadInput(f"runs={record.run_id}: {error}") from error
    if len(candidates) > MAX_MODELS:
        raise BadInput(f"runs: expected at most {MAX_MODELS} runs, got {len(candidates)}")
    first = candidates[0]
    for other in candidates:
        if other.data_digest != first.data_digest:
            raise BadInput(
                f"runs: {first.record.run_id} and {other.record.run_id} used different data sets "
                f"(digests {first.data_digest} and {other.data_digest}); compare runs on the same "
                "data"
            )
    return Selection(tuple(sorted(candidates, key=lambda each: -each.record.started_at)), ())


def split_by_most_frequent(items: Sequence[T], keys: Sequence[Hashable]) -> tuple[list[T], list[T]]:
    """The items with the most frequent key (if tied, the one that occurs first), and the others."""
    if not items:
        return [], []
    [(key, _)] = Counter(keys).most_common(1)  # ties are in the order of first occurrence
    pairs = list(zip(items, keys, strict=True))
    return [item for item, k in pairs if k == key], [item for item, k in pairs if k != key]


def exclude(record: RunRecord, reason: str) -> ExcludedRun:
    """Exclude a run for this reason."""
    return ExcludedRun(record.run_id, record.name, record.link, reason)


def _parse_options(record: RunRecord) -> Train:
    if "model" not in record.parameters:
        raise BadInput("it has logged no options")
    return Train.from_text(record.parameters)


def _describe_status(record: RunRecord) -> str:
    error = record.tags.get(names.TAG_ERROR)
    return f"status {record.status}" + (f": {error}" if error else "")


def _shorten(excluded: list[ExcludedRun], reason: str) -> list[ExcludedRun]:
    """The first runs of the list, and the number of the others."""
    more = len(excluded) - _MAX_LISTED
    return excluded[:_MAX_LISTED] + ([_count(more, reason, "more ")] if more > 0 else [])


def _count(number: int, reason: str, more: str = "") -> ExcludedRun:
    return ExcludedRun("", f"{number:,} {more}run{'s' * (number != 1)}", None, reason)
