"""Select the runs to compare, and group those that differ only in their seed."""

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
    def settings(self) -> tuple[Hashable, ...]:
        """What determines the result apart from the seed and the versions of code and libraries."""
        fields = self.options.fingerprint_fields() | {"seed": ""}
        # In runs of version 1, random weights depend on the seed.
        weights = self.record.tags.get(names.TAG_WEIGHTS_DIGEST)
        return self.data_digest, "" if fields["weights"] == "none" else weights, *fields.values()

    @property
    def group(self) -> str:
        """Differs between runs with equal settings only if their code or libraries differ."""
        return self.record.tags.get(names.TAG_GROUP, "")


# The replicates of one model, sorted by seed.
Replicates = tuple[Candidate, ...]


def select_newest(
    records: Iterable[RunRecord], models: Sequence[str]
) -> tuple[list[Replicates], list[ExcludedRun]]:
    """Select the newest finished run of each model and seed, on the most frequent data set.

    Runs with equal settings, but other versions of code or libraries than the newest of them, are
    not replicates and are excluded.

    Args:
        records: runs of `train`, newest first.
        models: only these models; empty for all.

    Returns:
        The models, the newest first, and the excluded runs.

    Raises:
        BadInput: there are more models than one comparison can show.
    """
    selected: dict[tuple[Hashable, ...], dict[int, Candidate]] = {}
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
        seed, settings = candidate.options.seed, candidate.settings
        replicates = selected.get(settings, {})
        if not record.is_finished:
            if seed not in replicates:
                unfinished.setdefault((settings, seed), exclude(record, _describe_status(record)))
        elif any(other.group != candidate.group for other in replicates.values()):
            counts["other versions of code or libraries than the newest run of the model"] += 1
        elif seed in replicates:
            counts["replaced by a newer run with the same options and seed"] += 1
        else:
            selected[settings] = replicates | {seed: candidate}
    groups = [_sort_by_seed(replicates) for replicates in selected.values()]
    chosen, others = split_by_most_frequent(groups, [group[0].data_digest for group in groups])
    if len(chosen) > MAX_MODELS:
        raise BadInput(
            f"expected at most {MAX_MODELS} models to compare, got {len(chosen)}; restrict them "
            "with runs, models or experiments"
        )
    other_data = [
        exclude(each.record, f"other data set ({each.data_digest})")
        for group in others
        for each in group
    ]
    return chosen, [
        *_shorten(other_data, "other data set"),
        *_shorten(list(unfinished.values()), "not finished"),
        *_shorten(unreadable, "options cannot be read"),
        *(_count(number, reason) for reason, number in counts.items()),
    ]


def select_by_id(records: Sequence[RunRecord]) -> tuple[list[Replicates], list[ExcludedRun]]:
    """Select the runs that the user has named; of equal runs, only the newest.

    Raises:
        BadInput: one is not a finished run of `train`, or they used different data sets.
    """
    candidates = [_parse_named(record) for record in records]
    first = candidates[0]
    for other in candidates:
        if other.data_digest != first.data_digest:
            raise BadInput(
                f"runs: {first.record.run_id} and {other.record.run_id} used different data sets "
                f"(digests {first.data_digest} and {other.data_digest}); compare runs on the same "
                "data"
            )
    groups: dict[tuple[Hashable, ...], dict[int, Candidate]] = {}
    excluded = []
    for each in sorted(candidates, key=lambda each: -each.record.started_at):
        replicates = groups.setdefault((each.settings, each.group), {})
        if each.options.seed in replicates:
            excluded.append(exclude(each.record, "a newer run has the same options and seed"))
        else:
            replicates[each.options.seed] = each
    if len(groups) > MAX_MODELS:
        raise BadInput(f"runs: expected runs of at most {MAX_MODELS} models, got {len(groups)}")
    return [_sort_by_seed(replicates) for replicates in groups.values()], excluded


def _parse_named(record: RunRecord) -> Candidate:
    try:
        if record.kind != "train":
            raise BadInput(f"expected a run of train, got {record.kind}")
        if not record.is_finished:
            raise BadInput(f"expected a finished run, got {_describe_status(record)}")
        return Candidate(record, _parse_options(record))
    except BadInput as error:
        raise BadInput(f"runs={record.run_id}: {error}") from error


def split_by_most_frequent(items: Sequence[T], keys: Sequence[Hashable]) -> tuple[list[T], list[T]]:
    """The items with the most frequent key (if tied, the one that occurs first), and the others."""
    if not items:
        return [], []
    [(key, _)] = Counter(keys).most_common(1)  # ties are in the order of first occurrence
    pairs = list(zip(items, keys, strict=True))
    return [item for item, k in pairs if k == key], [item for item, k in pairs if k != key]


def exclude(record: RunRecord, reason: str) -> ExcludedRun:
    """Describe an excluded run and the reason."""
    return ExcludedRun(record.run_id, record.name, record.link, reason)


def _sort_by_seed(replicates: dict[int, Candidate]) -> Replicates:
    return tuple(replicates[seed] for seed in sorted(replicates))


def _parse_options(record: RunRecord) -> Train:
    if "model" not in record.parameters:
        raise BadInput("it has logged no options")
    # Runs before version 2 have no separate seed of the split.
    return Train.from_text({"split_seed": "0", **record.parameters})


def _describe_status(record: RunRecord) -> str:
    error = record.tags.get(names.TAG_ERROR)
    return f"status {record.status}: {error}" if error else f"status {record.status}"


def _shorten(excluded: list[ExcludedRun], reason: str) -> list[ExcludedRun]:
    """The first runs of the list, and the number of the others."""
    more = len(excluded) - _MAX_LISTED
    return excluded[:_MAX_LISTED] + ([_count(more, reason, "more ")] if more > 0 else [])


def _count(number: int, reason: str, more: str = "") -> ExcludedRun:
    return ExcludedRun("", f"{number:,} {more}run{'s' * (number != 1)}", None, reason)
