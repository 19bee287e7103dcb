"""One trial, in a worker process: options chosen, a model fitted, a score on validation rows."""

import json
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import optuna

from fmnist import names
from fmnist.crossval.processes import _start_worker as start_worker
from fmnist.data import splits
from fmnist.data.dataset import Split
from fmnist.errors import BadInput, WorkFailed
from fmnist.models.factory import ModelSpec
from fmnist.options import Tune
from fmnist.options.tune import SPACES, Float, round_values
from fmnist.training.features.cache import CachedArray, Features
from fmnist.tuning import storage as storages
from fmnist.tuning import study as studies


@dataclass(frozen=True, eq=False)
class Search:
    """What every worker needs.

    Args:
        spec: the network.
        used: the training rows in use; there are no test rows in a search.
        url: of the database.
        study: its name there.
        run_id: the tracked run that the trials belong to.
        features: of these rows, by a frozen backbone; else None.
        targets: (n, 10) float32, what to fit to instead of the labels.
    """

    options: Tune
    spec: ModelSpec
    used: Split
    url: str
    study: str
    run_id: str
    features: CachedArray | None = None
    targets: npt.NDArray[np.float32] | None = None


def work(search: Search, parent: int) -> None:
    """Try until the study has no room left; one of several processes.

    Args:
        parent: the process that started this one, with which it ends.
    """
    start_worker(parent)
    from fmnist.training import runtime

    runtime.start()
    storages.quiet()
    study = studies.joined(storages.opened(search.url), search.study, search.options)

    def objective(trial: optuna.Trial) -> float:
        trial.set_user_attr(studies.RUN, search.run_id)
        study.sampler = studies.sampler(search.options, trial.number)
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            return _score(search, trial)

    while studies.needs_trials(study, search.options.trials):
        study.optimize(objective, n_trials=1)


def _score(search: Search, trial: optuna.Trial) -> float:
    try:
        options = search.options.with_chosen(_chosen(trial, search.options.searched))
        return _Scoring(search, options, trial).mean()
    except (BadInput, WorkFailed) as error:  # options that exclude each other, a loss of NaN
        trial.set_user_attr(studies.WHY, str(error))
        raise optuna.TrialPruned(str(error)) from error


def _chosen(trial: optuna.Trial, searched: tuple[str, ...]) -> dict[str, object]:
    chosen: dict[str, object] = {}
    for name in searched:
        if name == "weight_decay" and chosen.get("optimizer") == "adam":
            continue  # which has none
        space = SPACES[name]
        if isinstance(space, Float):
            chosen[name] = trial.suggest_float(name, space.low, space.high, log=space.log)
        else:
            chosen[name] = trial.suggest_categorical(name, space.values)
    return round_values(chosen)


class _Scoring:
    """The parts that a trial is scored on, and what is told of it on the way."""

    def __init__(self, search: Search, options: Tune, trial: optuna.Trial) -> None:
        self._search = search
        self._options = options
        self._trial = trial
        self._rows: list[Mapping[str, float]] = []

    def mean(self) -> float:
        options = self._options
        scores: list[float] = []
        for part in splits.scored_splits(
            self._search.used.labels,
            options.scoring_folds,
            options.validation_fraction,
            options.seed,
        ):
            scores.append(self._part(part))
            if options.scoring_folds:
                self._tell({names.FOLD_ACCURACY: scores[-1]}, float(np.mean(scores)))
        return float(np.mean(scores))

    def _part(self, part: splits.ScoredSplit) -> float:
        """The accuracy on some rows of a model fitted to others."""
        from fmnist.training.train import DataSplits, train_model

        search, used = self._search, self._search.used
        features = None
        if of_used := search.features:
            features = Features(of_used, replace(of_used, array=of_used.array[part.scored]))
        trained = train_model(
            search.spec.copy(),
            DataSplits(
                used,
                part.train,
                part.validation,
                used.images[part.scored],
                part.scored,
                search.targets,
            ),
            self._options,
            features=features,
            on_epoch=self._epoch,
        )
        answers = trained.scored_probabilities.argmax(axis=1)
        return float(np.mean(answers == used.labels[part.scored]))

    def _epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        if not self._options.scoring_folds:
            self._tell(metrics, metrics[names.VAL_ACCURACY])

    def _tell(self, row: Mapping[str, float], score: float) -> None:
        """Keep a row of the history, and give up if the study would."""
        self._rows.append(row)
        self._trial.set_user_attr(studies.HISTORY, json.dumps(self._rows))
        self._trial.report(score, len(self._rows))
        if self._trial.should_prune():
            raise optuna.TrialPruned
