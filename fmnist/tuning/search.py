"""A tracked search: its trials as they come, then the winner's trainings and what it owes to what.

Test rows are read by the trainings of the winner and of its ablations alone, when all is chosen.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

from optuna import Study

from fmnist import names
from fmnist.crossval.processes import load_features
from fmnist.errors import WorkFailed
from fmnist.models import factory
from fmnist.options import Train
from fmnist.results.steps import FinishedStep, Step
from fmnist.results.tuning import TrialResult, best
from fmnist.system.signals import signals_deferred
from fmnist.tracking.nested import NestedRun, log_nested_run, run_step
from fmnist.tracking.run import Run
from fmnist.tracking.search import nested_runs
from fmnist.tuning import report
from fmnist.tuning.ablation import Effect, without_each
from fmnist.tuning.objective import Search
from fmnist.tuning.study import best_score, importances, tried
from fmnist.tuning.workers import searched


def tuned(tracked: Run, tags: Mapping[str, str], search: Search, study: Study) -> None:
    """All of it, stored in the run; what the run or the study has already is not done again.

    Args:
        tags: of the run, that its trials bear too.
        study: what is searched, open in this process.

    Raises:
        WorkFailed: no trial came to its end, or a training failed.
    """
    started, options = time.perf_counter(), search.options
    trials = _trials(tracked, tags, search, study)
    top = best(trials)
    if options.trials and top is None:
        raise WorkFailed("no trial has come to its end; allow more trials, or pruner=none")
    winner = options.with_chosen(top.chosen if top else {}).winner()
    seeds = range(options.seed, options.seed + options.seeds)
    done = _trained(tracked, winner, seeds, tags)
    effects = []
    if options.ablate == "on":
        for name, without in without_each(winner).items():
            lacking = _trained(tracked, without, seeds, tags, lacks=name)
            value, gone = (one.fingerprint_fields()[name] for one in (winner, without))
            with_it, without_it = (report.test_accuracies(each) for each in (done, lacking))
            effects.append(Effect(name, value, gone, with_it, without_it))
    tracked.log_summary(
        report.search_metrics(trials)
        | report.winner_metrics(done)
        | {names.TUNE_SECONDS: time.perf_counter() - started}
    )
    tracked.log_files(report.winner_files(winner, top, done, effects, search.spec.title))
    note = report.note(search.spec.title, winner, trials, done, effects)
    tracked.set_tags({names.TAG_NOTE: note})
    print(f"\n{note}")


def _trials(
    tracked: Run, tags: Mapping[str, str], search: Search, study: Study
) -> tuple[TrialResult, ...]:
    """Those of the whole study, once it has enough; those of this run are nested in it."""
    options = search.options
    if len(tried(study)) < options.trials:
        features = load_features(search.spec, options.cache_dir, search.used.images)
        search = replace(search, features=features[0] if features else None)
    for trial in searched(search, study, _logged_trials(tracked)):
        asked = options.fingerprint_fields() | {k: str(v) for k, v in trial.chosen.items()}
        log_nested_run(tracked, _nested_run(trial, asked, tags))
        with signals_deferred():
            so_far = best_score(study)
        print(report.told(trial, so_far), flush=True)
    trials = tried(study)
    tracked.log_files(report.search_files(trials, importances(study)))
    return trials


def _nested_run(
    trial: TrialResult, params: Mapping[str, str], tags: Mapping[str, str]
) -> NestedRun:
    """Return the nested run of a trial, with the approximate time of each epoch."""
    rows = trial.history.rows if trial.history else ()
    step_seconds = (trial.ended - trial.started) / max(len(rows), 1)
    state = {
        names.TAG_KIND: "trial",
        names.TAG_TRIAL_STATE: "pruned" if trial.pruned else "complete",
        names.TAG_NOTE: trial.why,
    }
    return NestedRun(
        name=f"trial {trial.number}",
        params={**params, names.TRIAL: str(trial.number)},
        tags={**tags, **state},
        started=trial.started,
        ended=trial.ended,
        history=[(trial.started + i * step_seconds, row) for i, row in enumerate(rows, start=1)],
        metrics={} if trial.score is None else {names.TRIAL_SCORE: trial.score},
    )


def _logged_trials(tracked: Run) -> set[int]:
    """Return the numbers of the trials that the run has."""
    runs = [run for run in nested_runs(tracked.run_id, "trial") if run.is_finished]
    return {int(run.parameters[names.TRIAL]) for run in runs}


def _trained(
    tracked: Run, options: Train, seeds: range, tags: Mapping[str, str], lacks: str = ""
) -> list[FinishedStep]:
    """A training for each seed, nested in the run; those that the store has are taken.

    Args:
        lacks: the technique that was taken away, of an ablation.
    """
    data_digest = tags[names.TAG_DATA_DIGEST]
    teacher = tags.get(names.TAG_TEACHER, "")
    name = f"without {lacks}" if lacks else "winner"
    marks = {names.TAG_ABLATION: lacks} if lacks else {}
    done = []
    for seed in seeds:
        seeded = options.model_copy(update={"seed": seed})
        digest = factory.create_spec(seeded).configuration(seeded, data_digest + teacher).digest
        step = Step(f"{name}, seed {seed}", "train", seeded, marks)
        done.append(run_step(step, tracked, digest))
    return done
