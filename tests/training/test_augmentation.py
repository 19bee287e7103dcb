"""Augmentation does what its options say, and is a function of (epoch seed, step)."""

import numpy as np
import pytest

from fmnist.options.recipe import RecipeOptions

IMAGES = np.random.default_rng(0).integers(1, 256, (64, 28, 28), dtype=np.uint8)
LABELS = np.eye(10, dtype=np.float32)[np.arange(64) % 10]


def augment(recipe: RecipeOptions, epoch_seed: int = 1, step: int = 0, images=IMAGES):
    import tensorflow as tf

    from fmnist.training.augmentation import create_augmentation

    function = create_augmentation(recipe, tf.Variable(epoch_seed, dtype=tf.int64))
    if function is None:
        return None
    result = function(tf.constant(images), tf.constant(LABELS), tf.constant(step, tf.int64))
    return [part.numpy() for part in result]


def test_the_report_recipe_augments_nothing() -> None:
    assert augment(RecipeOptions()) is None


def test_about_half_of_the_images_are_mirrored() -> None:
    images, labels = augment(RecipeOptions(flip="on"))
    same = [np.array_equal(*pair) for pair in zip(images, IMAGES, strict=True)]
    mirrored = [np.array_equal(*pair) for pair in zip(images, IMAGES[:, :, ::-1], strict=True)]
    assert all(one != other for one, other in zip(same, mirrored, strict=True))
    assert 20 <= sum(mirrored) <= 44
    np.testing.assert_array_equal(labels, LABELS)


def test_each_image_is_translated_by_its_own_whole_pixels() -> None:
    images, _ = augment(RecipeOptions(translate=2))
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2)))
    seen = set()
    for number, image in enumerate(images):
        offsets = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if np.array_equal(image, padded[number, down : down + 28, right : right + 28])
        ]
        assert len(offsets) == 1
        seen.update(offsets)
    assert len(seen) > 15
    assert {down for down, _ in seen} == {right for _, right in seen} == set(range(5))


def test_one_rectangle_is_erased_in_a_fraction_of_the_images() -> None:
    images, _ = augment(RecipeOptions(random_erasing=0.5))
    areas = []
    for image, original in zip(images, IMAGES, strict=True):
        changed = image != original
        if changed.any():
            rows, columns = np.where(changed.any(1))[0], np.where(changed.any(0))[0]
            box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert len(np.unique(box)) == 1
            areas.append(box.size / 28**2)
    assert 20 <= len(areas) <= 44
    assert min(areas) > 0.01
    assert 0.2 < max(areas) < 0.45


def test_mixup_mixes_labels_like_images_or_features() -> None:
    gray = np.arange(0, 256, 4, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    features = np.random.default_rng(1).random((64, 5), dtype=np.float32)
    for inputs, tolerance in ((gray, 0.51), (features, 1e-6)):
        mixed, labels = augment(RecipeOptions(mixup=1.0), images=inputs)
        weight = labels[0, 0]
        assert 0 < weight < 1
        assert mixed.dtype == inputs.dtype
        expected = weight * inputs.astype(np.float32) + (1 - weight) * inputs[::-1]
        np.testing.assert_allclose(mixed, expected, atol=tolerance)
        expected = weight * LABELS + (1 - weight) * LABELS[::-1]
        np.testing.assert_allclose(labels, expected, atol=1e-6)


def test_smoothed_labels_sum_to_one() -> None:
    images, labels = augment(RecipeOptions(label_smoothing=0.1))
    np.testing.assert_allclose(labels, LABELS * 0.9 + 0.01, atol=1e-7)
    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize(
    "options", [{"flip": "on"}, {"translate": 2}, {"random_erasing": 1.0}, {"mixup": 0.2}]
)
def test_epoch_seed_and_step_determine_the_result(options: dict) -> None:
    recipe = RecipeOptions(**options)
    first, again = augment(recipe), augment(recipe)
    np.testing.assert_array_equal(first[0], again[0])
    for other in (augment(recipe, step=1), augment(recipe, epoch_seed=2)):
        assert not np.array_equal(first[0], other[0])
