"""A search whose trials another process has, without a process of its own."""

from collections.abc import Iterator
from threading import Timer

import numpy as np
import optuna
import pytest

from fmnist.data.dataset import Split
from fmnist.models import factory
from fmnist.options import Tune
from fmnist.tuning import storage
from fmnist.tuning import study as studies
from fmnist.tuning.objective import Search
from fmnist.tuning.workers import searched

pytestmark = [pytest.mark.filterwarnings("ignore:Heartbeat of storage"), pytest.mark.slow]

OPTIONS = Tune(recipe="strong", search="dropout", trials=1)
OTHERS_SECONDS = 1.5


@pytest.fixture
def others(url: str) -> Iterator[optuna.Trial]:
    """A trial that another machine has begun, and ends a little later."""
    study = studies.joined(storage.opened(url), "s", OPTIONS)
    trial = study.ask()
    trial.set_user_attr(studies.RUN, "theirs")
    timer = Timer(OTHERS_SECONDS, study.tell, (trial, 0.9))
    timer.start()
    yield trial
    timer.join()


def test_the_last_trial_of_another_machine_is_waited_for(
    url: str, others: optuna.Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = Split(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))
    study = studies.joined(storage.opened(url), "s", OPTIONS)
    search = Search(OPTIONS, factory.create_spec(OPTIONS), rows, url, "s", "mine")
    assert not studies.tried(study)
    assert not list(searched(search, study, set()))
    assert [trial.number for trial in studies.tried(study)] == [others.number]
    assert studies.best_score(study) == 0.9
    assert capsys.readouterr().out.count("waiting for trials that others still do") == 1
