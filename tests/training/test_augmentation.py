"""Alterations of batches do what they are named for, and are drawn from (epoch, step) alone."""

import numpy as np
import pytest

from fmnist.options.recipe import REPORT, Recipe

IMAGES = np.random.default_rng(0).integers(1, 256, (64, 28, 28), dtype=np.uint8)
LABELS = np.eye(10, dtype=np.float32)[np.arange(64) % 10]


def altered(techniques: Recipe, epoch: int = 1, step: int = 0, images=IMAGES, labels=LABELS):
    import tensorflow as tf

    from fmnist.training.augmentation import alteration

    alter = alteration(techniques, tf.Variable(epoch, dtype=tf.int64))
    done = alter(tf.constant(images), tf.constant(labels), tf.constant(step, tf.int64))
    return [part.numpy() for part in done]


def test_the_report_alters_nothing() -> None:
    import tensorflow as tf

    from fmnist.training.augmentation import alteration

    assert alteration(REPORT, tf.Variable(0, dtype=tf.int64)) is None


def test_about_half_are_mirrored_and_nothing_else() -> None:
    images, labels = altered(Recipe(flip="on"))
    same = [np.array_equal(*pair) for pair in zip(images, IMAGES, strict=True)]
    turned = [np.array_equal(*pair) for pair in zip(images, IMAGES[:, :, ::-1], strict=True)]
    assert all(one != other for one, other in zip(same, turned, strict=True))
    assert 20 <= sum(turned) <= 44
    np.testing.assert_array_equal(labels, LABELS)


def test_each_image_moves_by_its_own_whole_pixels() -> None:
    """Every result is the image at one of the 25 places, black where nothing moved in."""
    images, _ = altered(Recipe(translate=2))
    wide = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2)))
    found = set()
    for number, image in enumerate(images):
        places = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if np.array_equal(image, wide[number, down : down + 28, right : right + 28])
        ]
        assert len(places) == 1
        found.update(places)
    assert len(found) > 15
    assert {down for down, _ in found} == {right for _, right in found} == set(range(5))


def test_a_share_of_the_images_loses_one_rectangle() -> None:
    images, _ = altered(Recipe(random_erasing=0.5))
    sizes = []
    for image, before in zip(images, IMAGES, strict=True):
        changed = image != before
        if changed.any():
            rows, columns = np.where(changed.any(1))[0], np.where(changed.any(0))[0]
            box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert len(np.unique(box)) == 1
            sizes.append(box.size / 28**2)
    assert 20 <= len(sizes) <= 44
    assert min(sizes) > 0.01
    assert 0.2 < max(sizes) < 0.45


def test_mixup_mixes_labels_as_it_mixes_images() -> None:
    flat = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[:, None, None], 28, 1).repeat(28, 2)
    images, labels = altered(Recipe(mixup=1.0), images=flat)
    share = labels[0, 0]
    assert 0 < share < 1
    wanted = share * flat.astype(np.float32) + (1 - share) * flat[::-1]
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images, wanted, atol=0.51)
    np.testing.assert_allclose(labels, share * LABELS + (1 - share) * LABELS[::-1], atol=1e-6)


def test_mixup_takes_features_too() -> None:
    features = np.random.default_rng(1).random((64, 5), dtype=np.float32)
    mixed, labels = altered(Recipe(mixup=1.0), images=features)
    share = labels[0, 0]
    np.testing.assert_allclose(mixed, share * features + (1 - share) * features[::-1], atol=1e-6)


def test_smoothed_labels_still_sum_to_one() -> None:
    images, labels = altered(Recipe(label_smoothing=0.1))
    np.testing.assert_allclose(labels, LABELS * 0.9 + 0.01, atol=1e-7)
    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize(
    "one", [{"flip": "on"}, {"translate": 2}, {"random_erasing": 1.0}, {"mixup": 0.2}]
)
def test_the_same_epoch_and_step_draw_the_same(one: dict) -> None:
    technique = Recipe(**one)
    first, again = altered(technique), altered(technique)
    np.testing.assert_array_equal(first[0], again[0])
    for other in (altered(technique, step=1), altered(technique, epoch=2)):
        assert not np.array_equal(first[0], other[0])
