"""Each technique is turned off alone, and its effect is paired by seed."""

import numpy as np
import pytest
from scipy import stats

from fmnist.options import Train
from fmnist.tuning.ablation import Effect, ablations


def test_each_technique_is_turned_off_alone() -> None:
    winner = Train(recipe="strong", dropout=0.3, epochs=4)
    result = ablations(winner)
    assert set(result) == {
        "dropout", "normalize", "flip", "translate", "optimizer", "weight_decay", "schedule",
        "warmup", "ema",
    }  # fmt: skip
    before = winner.fingerprint_fields()
    for name, options in result.items():
        after = options.fingerprint_fields()
        changed = {key for key in before if before[key] != after[key]}
        assert changed == ({"optimizer", "weight_decay"} if name == "optimizer" else {name})
    assert result["flip"].flip == "off"
    assert result["dropout"].dropout == 0
    assert ablations(Train()) == {}


def test_effect_is_paired_by_seed() -> None:
    effect = Effect("flip", "on", "off", [0.91, 0.93, 0.95], [0.90, 0.915, 0.945])
    assert effect.mean == pytest.approx(0.01)
    half = stats.t.ppf(0.975, 2) * np.std([0.01, 0.015, 0.005], ddof=1) / np.sqrt(3)
    assert effect.interval == pytest.approx((0.01 - half, 0.01 + half))


@pytest.mark.parametrize("accuracies", [[0.9], [0.91, 0.92]])
def test_one_seed_or_equal_differences_have_no_interval(accuracies: list[float]) -> None:
    without = [accuracy - 0.01 for accuracy in accuracies]
    assert Effect("flip", "on", "off", accuracies, without).interval is None
