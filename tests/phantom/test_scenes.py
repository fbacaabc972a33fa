import pytest

from mammocalc.phantom import (
    DETECTORS,
    LABELS,
    SCENES,
    TEST_SEEDS,
    TRAINING_SEEDS,
    arterial,
    mixed,
    normal,
)


def test_training_and_test_seeds_are_apart():
    assert not set(TRAINING_SEEDS) & set(TEST_SEEDS)


def test_the_mix_has_every_system_label_and_view():
    drawn = [mixed(seed) for seed in range(400)]
    assert {one.detector for one in drawn} == set(DETECTORS)
    assert {(one.laterality, one.view) for one in drawn} == {
        ("L", "CC"),
        ("L", "MLO"),
        ("R", "CC"),
        ("R", "MLO"),
    }
    assert {one.intent for one in drawn} == {"FOR PROCESSING", "FOR PRESENTATION"}
    for label in LABELS:
        share = sum(getattr(one, label) > 0 for one in drawn) / len(drawn)
        assert 0.1 < share < 0.4, label
    assert not any(one.dust for one in drawn if not one.detector.startswith("film"))
    assert not any(one.intent == "FOR PROCESSING" for one in drawn if one.detector.startswith("film"))


def test_a_scene_is_the_same_each_time_and_true_to_scale():
    for scene in SCENES.values():
        assert scene(5, "small") == scene(5, "small")
        for size, tall in (("small", 98.0), ("full", 232.0)):
            settings = scene(5, size)
            assert settings.rows * DETECTORS[settings.detector].pixel_spacing_mm == pytest.approx(
                tall, abs=0.2
            )


def test_normal_has_no_calcium():
    kinds = (*LABELS, "vascular_all_around")
    assert all(getattr(normal(seed), label) == 0 for seed in range(50) for label in kinds)


def test_arterial_has_arteries_and_in_half_of_the_images_casts():
    drawn = [arterial(seed) for seed in range(100)]
    assert all(1 <= one.vascular_all_around <= 3 for one in drawn)
    assert 35 < sum(one.fine_linear + one.fine_linear_branching for one in drawn) < 65
    assert not any(one.fine_pleomorphic or one.punctate or one.large_rod_like for one in drawn)
