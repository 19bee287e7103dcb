"""Learning rates and optimizer steps against values computed by hand."""

import keras
import numpy as np
import pytest

from fmnist.options.recipe import RecipeOptions
from fmnist.training.optimizers import WarmupDecay, create_optimizer


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.25, 0.5, 1.0, 1.0, 1.0, 1.0]),
        ("cosine", [0.25, 0.5, 1.0, 0.75, 0.5, 0.0]),
        ("onecycle", [0.25, 0.5, 1.0, 2 / 3, 0.5, 0.0]),
    ],
)
def test_the_learning_rate_rises_and_falls(schedule, expected: list[float]) -> None:
    """4 of 16 steps warm up; step 8 is at a third of the decay, step 10 at half."""
    rate = WarmupDecay(0.01, schedule, 0.25, 16)
    rates = [float(rate(step)) for step in (0, 1, 4, 8, 10, 16)]
    np.testing.assert_allclose(rates, 0.01 * np.array(expected), atol=1e-8)


def test_without_warmup_the_first_step_has_the_peak_rate() -> None:
    assert float(WarmupDecay(0.01, "cosine", 0.0, 100)(0)) == pytest.approx(0.01)


def test_the_report_recipe_uses_plain_adam() -> None:
    optimizer = create_optimizer(RecipeOptions(), 0.001, 100)
    assert type(optimizer) is keras.optimizers.Adam
    expected = keras.optimizers.Adam(0.001, name=optimizer.name)
    assert optimizer.get_config() == expected.get_config()


def run_steps(recipe: RecipeOptions, steps: int) -> tuple[float, float]:
    """A kernel and a bias, both 1 at the start, after steps with rate 0.1 and gradient 2."""
    kernel, bias = (keras.Variable(1.0, name=name) for name in ("kernel", "bias"))
    optimizer = create_optimizer(recipe, 0.1, 10)
    optimizer.build([kernel, bias])
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(2.0)] * 2)
    return float(kernel), float(bias)


def test_sgd_uses_nesterov_momentum() -> None:
    """v = 0.9 v - 0.1 * 2; w += 0.9 v - 0.1 * 2: first -0.38, then -0.542."""
    assert run_steps(RecipeOptions(optimizer="sgd"), 1)[0] == pytest.approx(1 - 0.38)
    assert run_steps(RecipeOptions(optimizer="sgd"), 2)[0] == pytest.approx(1 - 0.38 - 0.542)


@pytest.mark.parametrize("shape", [(4, 4), (2, 2, 1, 4)])
def test_muon_orthogonalizes_the_updates_of_hidden_kernels(shape: tuple[int, ...]) -> None:
    """All singular values of an update are about equal; the output layer uses AdamW."""
    gradient = np.diag([5.0, 1.0, 0.2, 0.1]).astype("float32")
    kernels = [
        keras.Variable(np.zeros(shape, "float32"), name="kernel"),
        keras.Variable(np.zeros((4, 4), "float32"), name="probabilities"),
    ]
    optimizer = create_optimizer(RecipeOptions(optimizer="muon"), 0.1, 10)
    optimizer.apply([gradient.reshape(kernel.shape) for kernel in kernels], kernels)
    hidden, output = (
        np.linalg.svd(kernel.numpy().reshape(4, 4), compute_uv=False) for kernel in kernels
    )
    # Five Newton-Schulz iterations are approximate; the scale is 0.2 sqrt(4) of Liu et al.
    np.testing.assert_allclose(hidden, 0.1 * 0.2 * 2, rtol=0.35)
    np.testing.assert_allclose(output, 0.1, rtol=1e-3)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_weight_decay_applies_to_kernels_only(name) -> None:
    plain = run_steps(RecipeOptions(optimizer=name), 1)
    kernel, bias = run_steps(RecipeOptions(optimizer=name, weight_decay=0.5), 1)
    assert kernel == pytest.approx(plain[0] - 0.1 * 0.5, abs=1e-6)
    assert bias == plain[1]
