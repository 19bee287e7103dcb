"""Trials in worker processes: choose options, train, and score on validation rows."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import optuna
from joblib.externals.loky.process_executor import TerminatedWorkerError
from optuna import Study, Trial

from fmnist import names
from fmnist.crossval.processes import count_workers, start_pool
from fmnist.data import splits
from fmnist.data.dataset import Split
from fmnist.errors import BadInput, WorkFailed
from fmnist.models.factory import ModelSpec
from fmnist.options import Tune
from fmnist.options.tune import SPACES, Float, round_values
from fmnist.results.tuning import TrialResult
from fmnist.training.features.cache import CachedArray, Features
from fmnist.tuning import study as studies

OnEpoch = Callable[[int, Mapping[str, float]], None]

_POLL_SECONDS: Final = 0.5
# How often to restart the processes, which die together, without a finished trial in between.
_ATTEMPTS: Final = 3


@dataclass(frozen=True, eq=False)
class SearchInputs:
    """What every worker process needs.

    Args:
        used: the training rows of the search; test rows are not needed.
        storage_url: of the database, perhaps with a password.
        run_id: the tracking run that the trials belong to.
        features: of `used`, for a frozen backbone; otherwise None.
        targets: (n, 10) float32, targets of distillation instead of the labels.
    """

    options: Tune
    spec: ModelSpec
    used: Split
    storage_url: str
    study_name: str
    run_id: str
    features: CachedArray | None = None
    targets: npt.NDArray[np.float32] | None = None


def run_search(inputs: SearchInputs, study: Study, logged: set[int]) -> Iterator[TrialResult]:
    """Run trials in worker processes and yield each finished trial of this run.

    Ends when the study has enough trials and those of other machines are finished. If this process
    is interrupted, the running trials are queued again.

    Args:
        logged: numbers of trials not to yield.

    Raises:
        WorkFailed: worker processes die repeatedly.
    """
    seen, options = set(logged), inputs.options
    failures, has_waited = 0, False

    def new_trials() -> list[TrialResult]:
        finished = studies.finished_trials(study, exclude=seen)
        new = [trial for trial in finished if trial.run_id == inputs.run_id]
        seen.update(trial.number for trial in new)
        return new

    studies.requeue(study, inputs.run_id)
    yield from new_trials()
    while True:
        if not studies.needs_trials(study, options.trials):
            if not studies.has_running_trials(study):
                return
            if not has_waited:  # one may be the best, or be queued again
                print("the study is complete; waiting for trials of other processes", flush=True)
            has_waited = True
            time.sleep(_POLL_SECONDS)
            continue
        workers = count_workers(options.workers)
        pool = start_pool(workers)
        try:
            running = {pool.submit(_work, inputs) for _ in range(workers)}
            while running:
                done, running = wait(running, timeout=_POLL_SECONDS)
                for trial in new_trials():
                    failures = 0
                    yield trial
                for future in done:
                    future.result()
        except TerminatedWorkerError as error:
            failures += 1
            if failures == _ATTEMPTS:
                raise WorkFailed(
                    f"the processes of the search died {_ATTEMPTS} times (killed by a signal, or "
                    "out of memory); finished trials are stored, and the same command continues"
                ) from error
        finally:
            pool.shutdown(kill_workers=True)
            studies.requeue(study, inputs.run_id)


def _work(inputs: SearchInputs) -> None:
    """Run trials in this worker process until the study has enough."""
    from fmnist.training import runtime

    runtime.start()
    storage = studies.open_storage(inputs.storage_url)
    study = studies.load_or_create(storage, inputs.study_name, inputs.options)

    def objective(trial: Trial) -> float:
        trial.set_user_attr(studies.RUN_ID, inputs.run_id)
        with open(os.devnull, "w") as null, redirect_stdout(null), redirect_stderr(null):
            try:
                return _score(inputs, trial)
            except (BadInput, WorkFailed) as error:  # incompatible options, or a loss of NaN
                trial.set_user_attr(studies.REASON, str(error))
                raise optuna.TrialPruned(str(error)) from error

    studies.run_trials(study, objective, inputs.options)


def _suggest(trial: Trial, searched: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in searched:
        if name == "weight_decay" and values.get("optimizer") == "adam":
            continue  # Adam has no weight decay here
        space = SPACES[name]
        if isinstance(space, Float):
            values[name] = trial.suggest_float(name, space.low, space.high, log=True)
        else:
            values[name] = trial.suggest_categorical(name, space)
    return round_values(values)


def _score(inputs: SearchInputs, trial: Trial) -> float:
    """Return the validation accuracy, or the mean accuracy of `scoring_folds` folds."""
    options = inputs.options.with_chosen(_suggest(trial, inputs.options.searched))
    history: list[Mapping[str, float]] = []

    def report(metrics: Mapping[str, float], score: float) -> None:
        history.append(metrics)
        trial.set_user_attr(studies.HISTORY, json.dumps(history))
        trial.report(score, len(history))
        if trial.should_prune():
            raise optuna.TrialPruned

    def report_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        if not options.scoring_folds:
            report(metrics, metrics[names.VAL_ACCURACY])

    scores: list[float] = []
    for fold in splits.scored_splits(
        inputs.used.labels, options.scoring_folds, options.validation_fraction, options.split_seed
    ):
        scores.append(_train_and_score(inputs, options, fold, report_epoch))
        if options.scoring_folds:
            report({names.FOLD_ACCURACY: scores[-1]}, float(np.mean(scores)))
    return float(np.mean(scores))


def _train_and_score(
    inputs: SearchInputs, options: Tune, fold: splits.Fold, on_epoch: OnEpoch
) -> float:
    from fmnist.training.input_pipeline import DataSplits
    from fmnist.training.train import train_model

    used, features = inputs.used, None
    scored = fold.held_out
    if inputs.features:
        scored_features = replace(inputs.features, array=inputs.features.array[scored])
        features = Features(inputs.features, scored_features)
    rows = DataSplits(
        used, fold.train, fold.validation, used.images[scored], scored, inputs.targets
    )
    result = train_model(inputs.spec.copy(), rows, options, features=features, on_epoch=on_epoch)
    return float(np.mean(result.scored_probabilities.argmax(axis=1) == used.labels[scored]))
