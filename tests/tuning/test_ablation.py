"""Each technique is taken away alone, and its effect is that of pairs with the same seed."""

import numpy as np
import pytest
from scipy import stats

from fmnist.options import Train
from fmnist.options.recipe import REPORT
from fmnist.tuning.ablation import Effect, without_each


def test_each_technique_is_taken_away_alone() -> None:
    winner = Train(recipe="strong", dropout=0.3, epochs=4)
    found = without_each(winner)
    assert set(found) == {
        "dropout", "normalize", "flip", "translate", "optimizer", "weight_decay", "schedule",
        "warmup", "ema",
    }  # fmt: skip
    for name, options in found.items():
        mine, its = winner.fingerprint_fields(), options.fingerprint_fields()
        changed = {key for key in mine if mine[key] != its[key]}
        assert changed == ({"optimizer", "weight_decay"} if name == "optimizer" else {name})
    assert found["flip"].techniques.flip == REPORT.flip
    assert found["dropout"].dropout == 0


def test_the_report_has_nothing_to_take_away() -> None:
    assert without_each(Train()) == {}


def test_the_effect_is_paired_by_seed() -> None:
    with_it, without_it = [0.91, 0.93, 0.95], [0.90, 0.915, 0.945]
    effect = Effect("flip", "on", "off", with_it, without_it)
    assert effect.mean == pytest.approx(0.01)
    half = stats.t.ppf(0.975, 2) * np.std([0.01, 0.015, 0.005], ddof=1) / np.sqrt(3)
    assert effect.interval == pytest.approx((0.01 - half, 0.01 + half))


def test_one_seed_has_no_interval() -> None:
    assert Effect("flip", "on", "off", [0.9], [0.8]).interval is None


def test_equal_differences_have_no_width() -> None:
    low, high = Effect("flip", "on", "off", [0.5, 0.75], [0.25, 0.5]).interval or (0, 0)
    assert (low, high) == (0.25, 0.25)
