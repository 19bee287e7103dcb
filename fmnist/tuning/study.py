"""A study in its database: how trials are chosen, what has been tried, how much is left to try."""

import json
from collections.abc import Collection, Mapping
from typing import Final

import optuna
from optuna import Study
from optuna.storages import BaseStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from fmnist.errors import BadInput
from fmnist.options import Tune
from fmnist.options.tune import round_values
from fmnist.results.training import History
from fmnist.results.tuning import TrialResult
from fmnist.tuning.storage import heartbeats

# Of a study in the database: the configuration digest that its scores are of.
CONFIGURATION: Final = "configuration"
# Of a trial in the database: the run that it belongs to, what each epoch measured, why it ended.
RUN: Final = "run"
HISTORY: Final = "history"
WHY: Final = "why"

_AT_RANDOM: Final = 10  # trials before the sampler learns from them, the start among them
_UNPRUNED: Final = 5
_ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED)


def joined(storage: BaseStorage, name: str, options: Tune) -> Study:
    """The study of this name; whoever makes it has the given options tried first."""
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", pruner=pruner(options)
        )
        study.enqueue_trial(options.start())
        return study
    except optuna.exceptions.DuplicatedStudyError:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner(options))


def check_alike(study: Study, digest: str) -> None:
    """Return if all who work on the study score by the same options, data and code.

    Args:
        digest: of the configuration of this process.

    Raises:
        BadInput: it was begun with another.
    """
    begun = study.user_attrs.get(CONFIGURATION)
    if begun is None:
        study.set_user_attr(CONFIGURATION, digest)
    elif begun != digest:
        raise BadInput(
            f"study={study.study_name}: it was begun with the configuration {begun}, and this is "
            f"{digest}; give all machines the same options, data and code, or another study"
        )


def sampler(options: Tune, number: int) -> optuna.samplers.BaseSampler:
    """What chooses for one trial: the tree-structured Parzen estimator.

    Source: Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization"
    (2011). Trials that still run count as bad ones, so that processes do not try the same.

    Args:
        number: of the trial: the same seed, number and earlier trials give the same choice.
    """
    return optuna.samplers.TPESampler(
        seed=(options.seed * 100_003 + number) % 2**32,
        n_startup_trials=_AT_RANDOM,
        constant_liar=True,
    )


def pruner(options: Tune) -> optuna.pruners.BasePruner:
    """What gives trials up: those worse than the median so far, or by successive halving (Li et
    al., "Hyperband", 2018).
    """
    steps = options.scoring_folds or options.epochs
    if options.pruner == "median":
        # A fifth of the way says little where a schedule ends in small steps.
        return optuna.pruners.MedianPruner(_UNPRUNED, n_warmup_steps=steps // 5)
    if options.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=steps)
    return optuna.pruners.NopPruner()


def needs_trials(study: Study, trials: int) -> bool:
    """Whether fewer trials have ended or are at work than are wanted.

    Those of processes that are gone are given back first.
    """
    with heartbeats():
        fail_stale_trials(study)
    at_work = study.get_trials(deepcopy=False, states=(*_ENDED, TrialState.RUNNING))
    return len(at_work) < trials


def requeue(study: Study, run_id: str) -> None:
    """What the processes of a run were trying when they were stopped is to be tried again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(RUN) == run_id:
            study.tell(trial.number, state=TrialState.FAIL)
            with heartbeats():
                RetryHeartbeatStaleTrialCallback()(study, trial)


def others_at_work(study: Study) -> bool:
    """Whether a trial is at work that may still be the best: of another process or machine."""
    return bool(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def tried(study: Study, but: Collection[int] = ()) -> tuple[TrialResult, ...]:
    """All trials that have ended, whoever did them, in order.

    Args:
        but: numbers of those that are left out.
    """
    ended = study.get_trials(deepcopy=False, states=_ENDED)
    return tuple(_plain(trial) for trial in ended if trial.number not in but)


def best_score(study: Study) -> float | None:
    """The highest score of a trial that came to its end, None without one."""
    whole = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max((trial.value for trial in whole if trial.value is not None), default=None)


def importances(study: Study) -> Mapping[str, float]:
    """How much of the score's variance each option explains; empty where too little is known."""
    whole = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len({trial.value for trial in whole}) < 2 or len(whole) < _AT_RANDOM:
        return {}
    return optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )


def _plain(trial: FrozenTrial) -> TrialResult:
    reports = trial.intermediate_values
    score = trial.value if trial.state == TrialState.COMPLETE else None
    if score is None and reports:
        score = reports[max(reports)]
    rows = json.loads(trial.user_attrs.get(HISTORY, "[]"))
    began, ended = trial.datetime_start, trial.datetime_complete
    if began is None or ended is None:
        raise ValueError(f"trial {trial.number} has not ended")
    return TrialResult(
        number=trial.number,
        chosen=round_values(trial.params),
        score=score,
        pruned=trial.state == TrialState.PRUNED,
        why=trial.user_attrs.get(WHY, ""),
        history=History(tuple(rows)) if rows else None,
        started=began.timestamp(),
        ended=ended.timestamp(),
        run_id=trial.user_attrs.get(RUN, ""),
    )
