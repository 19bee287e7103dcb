"""The Optuna study of a search and its storage, which processes and machines may share.

Functions that query the study defer signals: an interrupted query would leave sqlite locked.
"""

import json
import os
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Final

import optuna
import platformdirs
from optuna import Study, Trial
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.options import Tune
from fmnist.options.tune import round_values
from fmnist.results.training import History
from fmnist.results.tuning import TrialResult
from fmnist.system.signals import signals_deferred

# User attribute of a study: the digest of the configuration of its trials.
CONFIGURATION: Final = "configuration"
# User attributes of a trial: its tracking run, metrics of each epoch or fold, why it has no score.
RUN_ID: Final = "run"
HISTORY: Final = "history"
REASON: Final = "why"

# A trial without heartbeat for the grace period is repeated by another process.
_HEARTBEAT_SECONDS: Final = 15
_GRACE_SECONDS: Final = 120
_SQLITE_TIMEOUT_SECONDS: Final = 60
_STARTUP_TRIALS: Final = 10  # random trials, including the first, before the sampler learns
_UNPRUNED_TRIALS: Final = 5
_FINISHED: Final = (TrialState.COMPLETE, TrialState.PRUNED)


class _SurplusTrial(Exception):
    """Another process started the last trial of the study at the same time."""


def storage_url(storage: str) -> str:
    """Return the database URL for the option `storage`. It may contain a password.

    Raises:
        BadInput: the option is not a URL, or contains a password, which would be logged.
    """
    text = storage
    if storage == "auto" and not (text := os.environ.get(names.STUDY_STORAGE, "")):
        # `mlflow run` and the plain command have different working directories.
        folder = platformdirs.user_state_path("fmnist", ensure_exists=True)
        text = f"sqlite:///{folder / 'tune.db'}"
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise BadInput(
            "storage: expected the URL of a database, for example sqlite:///tune.db or "
            "postgresql://user@host/name"
        ) from error
    if storage != "auto" and url.password:
        raise BadInput(
            f"storage={url.render_as_string()}: options are logged, so a password is not allowed "
            f"here; use {names.STUDY_STORAGE}, PGPASSWORD or ~/.pgpass"
        )
    if url.drivername == "postgresql":  # SQLAlchemy's default is psycopg 3
        url = url.set(drivername="postgresql+psycopg2")
    return url.render_as_string(hide_password=False)


def open_storage(url: str, attempts: int = 5) -> RDBStorage:
    """Connect to the database and create its tables if necessary.

    Args:
        attempts: how often to try while another process is creating the same tables.

    Raises:
        BadInput: the driver of the database is not installed.
        WorkFailed: the database cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)  # about heartbeats
    shown = make_url(url).render_as_string(hide_password=True)
    is_sqlite = url.startswith("sqlite")
    sqlite = {"connect_args": {"timeout": _SQLITE_TIMEOUT_SECONDS, "isolation_level": None}}
    try:
        storage = RDBStorage(
            url,
            engine_kwargs=sqlite if is_sqlite else {"pool_pre_ping": True},
            heartbeat_interval=_HEARTBEAT_SECONDS,
            grace_period=_GRACE_SECONDS,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        )
    except (ImportError, ArgumentError) as error:
        raise BadInput(
            f"storage={shown}: its driver is not installed ({error}); for PostgreSQL install the "
            "extra `postgres`"
        ) from error
    except SQLAlchemyError as error:
        if attempts > 1 and (isinstance(error, IntegrityError) or "already exists" in str(error)):
            time.sleep(1)
            return open_storage(url, attempts - 1)
        raise WorkFailed(
            f"the database {shown} cannot be used ({str(error).splitlines()[0]}); start it, or "
            "name another with storage"
        ) from error
    if is_sqlite:
        # Optuna reads a waiting trial, then claims it, and relies on SELECT FOR UPDATE, which
        # sqlite lacks. Without a write lock, two processes could claim the same trial.
        @event.listens_for(storage.engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return storage


def load_or_create(storage: RDBStorage, name: str, options: Tune) -> Study:
    """Load the study; if it does not exist, create it with the given options as first trial."""
    pruner = _pruner(options)
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", pruner=pruner
        )
    except optuna.exceptions.DuplicatedStudyError:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    study.enqueue_trial(options.start())
    return study


def check_configuration(study: Study, digest: str) -> None:
    """Check that the trials of the study have the same options, data and code as this process.

    Raises:
        BadInput: the study was started with another configuration digest.
    """
    started_with = study.user_attrs.get(CONFIGURATION)
    if started_with is None:
        study.set_user_attr(CONFIGURATION, digest)
    elif started_with != digest:
        raise BadInput(
            f"study={study.study_name}: it was started with configuration {started_with}, expected "
            f"{digest}; use the same options, data and code on all machines, or another study"
        )


def run_trials(study: Study, objective: Callable[[Trial], float], options: Tune) -> None:
    """Run trials until the study has enough, including those of other processes."""

    def checked_objective(trial: Trial) -> float:
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        if sum(each.state != TrialState.FAIL for each in earlier) >= options.trials:
            raise _SurplusTrial
        study.sampler = _sampler(options, trial.number)
        return objective(trial)

    while needs_trials(study, options.trials):
        study.optimize(checked_objective, n_trials=1, catch=_SurplusTrial)


@signals_deferred()
def needs_trials(study: Study, trials: int) -> bool:
    """Whether fewer trials are finished or running than requested."""
    fail_stale_trials(study)
    states = (*_FINISHED, TrialState.RUNNING)
    return len(study.get_trials(deepcopy=False, states=states)) < trials


@signals_deferred()
def has_running_trials(study: Study) -> bool:
    """Whether a process, perhaps on another machine, is running a trial."""
    return bool(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


@signals_deferred()
def requeue(study: Study, run_id: str) -> None:
    """Queue the trials that the stopped processes of a run left unfinished."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(RUN_ID) == run_id:
            study.tell(trial.number, state=TrialState.FAIL)
            RetryHeartbeatStaleTrialCallback()(study, trial)


@signals_deferred()
def finished_trials(study: Study, exclude: Collection[int] = ()) -> tuple[TrialResult, ...]:
    """Return the complete and pruned trials of all processes, except those with these numbers."""
    trials = study.get_trials(deepcopy=False, states=_FINISHED)
    return tuple(_to_result(trial) for trial in trials if trial.number not in exclude)


@signals_deferred()
def importances(study: Study) -> Mapping[str, float]:
    """Return the fraction of the variance of the scores that each option explains (fANOVA).

    Empty if there are too few complete trials.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len({trial.value for trial in complete}) < 2 or len(complete) < _STARTUP_TRIALS:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _sampler(options: Tune, number: int) -> optuna.samplers.BaseSampler:
    """Return the tree-structured Parzen estimator for one trial.

    Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011. The same seed, trial
    number and earlier trials give the same values. Running trials count as bad ones
    (`constant_liar`), so that parallel processes try different values.
    """
    return optuna.samplers.TPESampler(
        seed=(options.seed * 100_003 + number) % 2**32,
        n_startup_trials=_STARTUP_TRIALS,
        constant_liar=True,
    )


def _pruner(options: Tune) -> optuna.pruners.BasePruner:
    steps = options.scoring_folds or options.epochs
    if options.pruner == "median":
        # Early epochs predict little if the learning rate decreases towards the end.
        return optuna.pruners.MedianPruner(_UNPRUNED_TRIALS, n_warmup_steps=steps // 5)
    if options.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=steps)
    return optuna.pruners.NopPruner()


def _to_result(trial: FrozenTrial) -> TrialResult:
    values = trial.intermediate_values
    last = values[max(values)] if values else None
    rows = json.loads(trial.user_attrs.get(HISTORY, "[]"))
    if trial.datetime_start is None or trial.datetime_complete is None:
        raise ValueError(f"trial {trial.number} is not finished")
    return TrialResult(
        number=trial.number,
        chosen=round_values(trial.params),
        score=trial.value if trial.state == TrialState.COMPLETE else last,
        pruned=trial.state == TrialState.PRUNED,
        reason=trial.user_attrs.get(REASON, ""),
        history=History(tuple(rows)) if rows else None,
        started=trial.datetime_start.timestamp(),
        ended=trial.datetime_complete.timestamp(),
        run_id=trial.user_attrs.get(RUN_ID, ""),
    )
