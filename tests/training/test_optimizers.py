"""Learning rates against numbers worked out beforehand; each optimizer against its formula."""

import keras
import numpy as np
import pytest

from fmnist.options.recipe import REPORT, Recipe
from fmnist.training.optimizers import WarmupDecay, optimizer


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", [0.25, 0.5, 1.0, 1.0, 1.0, 1.0]),
        ("cosine", [0.25, 0.5, 1.0, 0.75, 0.5, 0.0]),
        ("onecycle", [0.25, 0.5, 1.0, 2 / 3, 0.5, 0.0]),
    ],
)
def test_the_rate_rises_then_falls(schedule, wanted: list[float]) -> None:
    """Of 16 steps a quarter rises: one of four, two of four; a third and half of the way down."""
    rate = WarmupDecay(0.01, schedule, 0.25, 16)
    told = [float(rate(step)) for step in (0, 1, 4, 8, 10, 16)]
    np.testing.assert_allclose(told, 0.01 * np.array(wanted), atol=1e-8)


def test_without_a_warm_up_it_starts_at_the_top() -> None:
    assert float(WarmupDecay(0.01, "cosine", 0.0, 100)(0)) == pytest.approx(0.01)


def test_the_reports_is_plain_adam() -> None:
    made = optimizer(REPORT, 0.001, 100)
    assert type(made) is keras.optimizers.Adam
    assert made.get_config() == keras.optimizers.Adam(0.001, name=made.name).get_config()


def stepped(techniques: Recipe, steps: int) -> tuple[float, float]:
    """A kernel and a bias of 1 after steps of rate 0.1 along a gradient of 2."""
    kernel, bias = (keras.Variable(1.0, name=name) for name in ("kernel", "bias"))
    made = optimizer(techniques, 0.1, 10)
    made.build([kernel, bias])
    for _ in range(steps):
        made.apply([keras.ops.convert_to_tensor(2.0)] * 2)
    return float(kernel), float(bias)


def test_sgd_has_nesterovs_momentum() -> None:
    """v = 0.9 v - 0.1 * 2; w += 0.9 v - 0.1 * 2, from v = 0: -0.38, then -0.542."""
    assert stepped(Recipe(optimizer="sgd"), 1)[0] == pytest.approx(1 - 0.38)
    assert stepped(Recipe(optimizer="sgd"), 2)[0] == pytest.approx(1 - 0.38 - 0.542)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_decay_takes_its_share_of_kernels_alone(name) -> None:
    plain = stepped(Recipe(optimizer=name), 1)
    kernel, bias = stepped(Recipe(optimizer=name, weight_decay=0.5), 1)
    assert kernel == pytest.approx(plain[0] - 0.1 * 0.5, abs=1e-6)
    assert bias == plain[1]


def test_adamw_without_decay_is_adam() -> None:
    assert stepped(Recipe(optimizer="adamw"), 3) == stepped(REPORT, 3)
