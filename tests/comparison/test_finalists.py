"""Which two models the answer is about, and what it says of them."""

from dataclasses import replace

import pytest

from fmnist import names
from fmnist.comparison.finalists import between, finalists, headline
from tests.helpers.sample_comparisons import DROPOUT, FOUR, LENET, RESNET, VGG, Made, compared

CONVNET = replace(LENET, label="convnet", model="convnet", accuracy=0.94)


@pytest.mark.parametrize(
    ("models", "wanted"),
    [
        (FOUR, (DROPOUT, VGG)),
        ((LENET, DROPOUT), (DROPOUT, LENET)),
        ((VGG, RESNET), (VGG, RESNET)),
        ((RESNET, VGG, replace(LENET, accuracy=0.6)), (VGG, replace(LENET, accuracy=0.6))),
        ((LENET, CONVNET, VGG), (CONVNET, VGG)),
    ],
    ids=["both kinds", "two LeNets", "two backbones", "backbone ahead", "two from scratch"],
)
def test_rivals_are_of_both_kinds_where_there_are_both(
    models: tuple[Made, ...], wanted: tuple[Made, Made]
) -> None:
    found = finalists(compared(models))

    assert found is not None
    assert tuple(c.label for c in found) == tuple(made.label for made in wanted)


def test_one_model_has_no_rival_but_an_answer() -> None:
    alone = compared([LENET])

    assert finalists(alone) is None
    assert headline(alone) == "88.0 % of 400 test images are answered right by lenet5."


def test_a_pair_is_told_from_the_side_of_the_first() -> None:
    comparison = compared(FOUR)
    first, *_, last = comparison.compared_models
    there, back = between(comparison, first, last), between(comparison, last, first)

    assert there in comparison.pairs
    assert back is not None
    assert back.difference == -there.difference < 0
    assert (back.low, back.high) == (-there.high, -there.low)
    assert (back.only_first, back.only_second) == (there.only_second, there.only_first)
    assert back.p_holm == there.p_holm
    assert between(replace(comparison, pairs=()), first, last) is None


def test_the_answer_says_how_much_whether_by_chance_and_at_what_cost() -> None:
    said = headline(compared(FOUR, rows=4000))

    assert said == (
        "88.3 % of 4,000 test images are answered right by lenet5, dropout 0.4, 82.0 % by vgg16 "
        "(weights hed-bsds500). The difference is more than chance (95 % interval +5.36 to +7.24 "
        "points, corrected p < 0.001). The first has 44,426 parameters and took 23.5 s to train, "
        "the second 14,848,586 and 8 min 14 s, features included."
    )


def test_another_p_changes_the_answer() -> None:
    comparison = compared(FOUR[:2], rows=4000)
    [pair] = comparison.pairs

    assert pair.p_holm > 0.05
    assert "These images cannot tell the two apart (95 % interval" in headline(comparison)
    sure = replace(comparison, pairs=(replace(pair, p_holm=0.04),))
    assert "more than chance" in headline(sure)


@pytest.mark.parametrize("missing", [names.PARAMETERS_TOTAL, names.FIT_SECONDS])
def test_no_cost_is_told_that_was_not_logged(missing: str) -> None:
    said = headline(compared([LENET, replace(VGG, without=(missing,))]))

    assert "parameters" not in said
