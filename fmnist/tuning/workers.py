"""Processes that try, and what they have tried as it comes."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Final

import joblib
import numpy as np
from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError
from optuna import Study

from fmnist.crossval.processes import _reduce_memmap as by_file
from fmnist.errors import WorkFailed
from fmnist.results.tuning import TrialResult
from fmnist.system.signals import signals_deferred
from fmnist.tuning import study as studies
from fmnist.tuning.objective import Search, work

_LOOK_SECONDS: Final = 0.5
# A process that dies takes the others with it. So often, without a trial ended in between, they
# are started again.
_POOLS: Final = 3


def searched(search: Search, study: Study, known: set[int]) -> Iterator[TrialResult]:
    """Each trial of the search's run as soon as it has ended, until the study has enough.

    When this process is stopped, the workers are, and what they were trying waits for the next.

    Args:
        study: of the search, open in this process.
        known: numbers of the trials that are not told again.

    Raises:
        WorkFailed: worker processes die again and again.
    """
    told, lost, waited = set(known), 0, False

    def news() -> list[TrialResult]:
        new = [trial for trial in studies.tried(study, but=told) if trial.run_id == search.run_id]
        told.update(trial.number for trial in new)
        return new

    with signals_deferred():  # an answer that is cut off leaves sqlite locked, here and below
        studies.requeue(study, search.run_id)  # what a process that was killed was trying
        found = news()
    yield from found
    while True:
        with signals_deferred():
            room = studies.needs_trials(study, search.options.trials)
            others = not room and studies.others_at_work(study)
        if others:  # one of theirs may be the best, or come back to be tried here
            if not waited:
                print("the study is full; waiting for trials that others still do", flush=True)
            waited = True
            time.sleep(_LOOK_SECONDS)
            continue
        if not room:
            return
        workers = search.options.workers or joblib.cpu_count()
        executor = ProcessPoolExecutor(workers, job_reducers={np.memmap: by_file})
        try:
            running = {executor.submit(work, search, os.getpid()) for _ in range(workers)}
            while running:
                done, running = wait(running, timeout=_LOOK_SECONDS)
                with signals_deferred():
                    found = news()
                for trial in found:
                    lost = 0
                    yield trial
                for future in done:
                    future.result()
        except TerminatedWorkerError as error:
            lost += 1
            if lost == _POOLS:
                raise WorkFailed(
                    f"the processes of the search died {_POOLS} times (killed by a signal, or out "
                    "of memory); what they have tried is kept, and the same command goes on"
                ) from error
        finally:
            executor.shutdown(kill_workers=True)
            with signals_deferred():
                studies.requeue(study, search.run_id)
