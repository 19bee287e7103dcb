"""Processes that try, and what they have tried as it comes."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Final

import joblib
import numpy as np
from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

from fmnist.errors import WorkFailed
from fmnist.process import signals_deferred
from fmnist.search import storage as storages
from fmnist.search import study as studies
from fmnist.search.trial import Search, work
from fmnist.training.preparation import by_file
from fmnist.trials import Tried

_LOOK_SECONDS: Final = 0.5
# A process that dies takes the others with it. So often, without a trial ended in between, they
# are started again.
_POOLS: Final = 3


def searched(search: Search, known: set[int]) -> Iterator[Tried]:
    """Each trial of the search's run as soon as it has ended, until the study has enough.

    When this process is stopped, the workers are, and what they were trying waits for the next.

    Args:
        known: numbers of the trials that are not told again.

    Raises:
        WorkFailed: worker processes die again and again.
    """
    study = studies.joined(storages.opened(search.url), search.study, search.options)
    told, pools = set(known), 0

    def news() -> list[Tried]:
        with signals_deferred():  # an answer that is cut off leaves sqlite locked
            new = [t for t in studies.tried(study) if t.run_id == search.run_id]
        new = [t for t in new if t.number not in told]
        told.update(trial.number for trial in new)
        return new

    def has_room() -> bool:
        with signals_deferred():
            return studies.has_room(study, search.options.trials)

    def give_back() -> None:
        with signals_deferred():
            studies.give_back(study, search.run_id)

    give_back()  # what a process that was killed was trying
    yield from news()
    while has_room():
        if pools == _POOLS:
            raise WorkFailed(
                f"the processes of the search died {_POOLS} times (killed by a signal, or out of "
                "memory); what they have tried is kept, and the same command goes on from there"
            )
        pools += 1
        workers = search.options.workers or joblib.cpu_count()
        executor = ProcessPoolExecutor(workers, job_reducers={np.memmap: by_file})
        try:
            running = {executor.submit(work, search, os.getpid()) for _ in range(workers)}
            while running:
                done, running = wait(running, timeout=_LOOK_SECONDS)
                for trial in news():
                    pools = 0
                    yield trial
                for future in done:
                    future.result()
        except TerminatedWorkerError:
            time.sleep(_LOOK_SECONDS)
        finally:
            executor.shutdown(kill_workers=True)
            give_back()
    yield from news()
