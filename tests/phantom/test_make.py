import numpy as np
import pytest
from scipy.ndimage import binary_closing, distance_transform_edt

from mammocalc.errors import InvalidParameter
from mammocalc.phantom import LABELS, PhantomSettings, make
from mammocalc.phantom.scenes import NO_CALCIUM

SMALL = {"rows": 900, "columns": 640}


def contrast(phantom, one):
    """Mean inside the mask less the median of a ring around it, bright is dense, over the spread of the ring."""
    mammogram = phantom.mammogram
    values = mammogram.pixels.astype(float) * (1 if mammogram.dense_is_bright else -1)
    mask = phantom.truth.mask(one.calcification_id)
    row, col, reach = (
        round(one.row),
        round(one.col),
        12 + round(0.6 * one.length_mm / phantom.truth.pixel_spacing_mm),
    )
    window = np.s_[max(0, row - reach) : row + reach, max(0, col - reach) : col + reach]
    ring = values[window][phantom.truth.labels()[window] == 0]
    return (values[mask].mean() - np.median(ring)) / ring.std()


def test_same_seed_same_pixels_and_truth(left):
    again = make(3, settings=PhantomSettings(**SMALL, bb_marker=True, clips=1))
    np.testing.assert_array_equal(again.mammogram.pixels, left.mammogram.pixels)
    assert again.truth == left.truth
    assert again.mammogram.sop_instance_uid == left.mammogram.sop_instance_uid


def test_another_seed_is_another_breast(left):
    other = make(4, settings=PhantomSettings(**SMALL, bb_marker=True, clips=1))
    assert np.mean(other.mammogram.pixels == left.mammogram.pixels) < 0.7  # the background is black in both
    assert other.mammogram.sop_instance_uid != left.mammogram.sop_instance_uid


def test_a_distractor_more_moves_no_calcification(left):
    other = make(3, settings=PhantomSettings(**SMALL, bb_marker=False, clips=1, hot_pixels=5))
    assert other.truth.calcifications == left.truth.calcifications


def test_a_right_breast_is_a_left_one_mirrored():
    plain = {**SMALL, **NO_CALCIUM, "large_rod_like": 3, "round": 2, "view_label": False}
    left, right = (make(5, settings=PhantomSettings(**plain, laterality=side)) for side in "LR")
    last = plain["columns"] - 1
    assert (left.truth.chest_wall, right.truth.chest_wall) == ("left", "right")
    assert right.truth.nipple == pytest.approx((left.truth.nipple[0], last - left.truth.nipple[1]))
    for one, other in zip(left.truth.calcifications, right.truth.calcifications, strict=True):
        assert (other.row, other.col) == pytest.approx((one.row, last - one.col))
        assert other.orientation_deg == pytest.approx(-one.orientation_deg)
        np.testing.assert_array_equal(
            right.truth.mask(other.calcification_id), left.truth.mask(one.calcification_id)[:, ::-1]
        )
        assert contrast(right, other) > 1


def test_for_processing_is_linear_and_dark_where_dense(raw):
    mammogram = raw.mammogram
    assert (mammogram.intent, mammogram.linear_in_exposure, mammogram.dense_is_bright) == (
        "FOR PROCESSING",
        True,
        False,
    )
    assert mammogram.bits_stored == 14
    air = mammogram.pixels[:40, :40]  # a right breast: the far corner is air
    assert np.median(air) > 5 * np.median(mammogram.pixels[:, -200:])
    assert np.mean([contrast(raw, one) > 0.5 for one in raw.truth.calcifications]) > 0.8


def test_for_presentation_is_bright_where_dense_on_black(left):
    mammogram = left.mammogram
    assert (mammogram.linear_in_exposure, mammogram.dense_is_bright, mammogram.bits_stored) == (
        False,
        True,
        12,
    )
    assert mammogram.pixels[:5, -40:].max() == 0
    assert mammogram.pixels.max() == 4095  # the burned-in label
    assert np.mean([contrast(left, one) > 0.5 for one in left.truth.calcifications]) > 0.9


def test_inverted_storage_is_the_same_image(left):
    inverted = make(3, settings=PhantomSettings(**SMALL, bb_marker=True, clips=1, dense_is_bright=False))
    assert inverted.mammogram.dense_is_bright is False
    np.testing.assert_array_equal(4095 - inverted.mammogram.pixels, left.mammogram.pixels)


def test_masks_are_disjoint_inside_the_image_and_around_their_centres(left):
    total = np.zeros((left.truth.rows, left.truth.columns), int)
    for one in left.truth.calcifications:
        mask = left.truth.mask(one.calcification_id)
        total += mask
        rows, columns = np.nonzero(mask)
        assert rows.min() - 1 <= one.row <= rows.max() + 1
        assert columns.min() - 1 <= one.col <= columns.max() + 1
        assert len(rows) == sum(stop - start for _, start, stop in one.runs)
    assert total.max() == 1
    np.testing.assert_array_equal(total > 0, left.truth.labels() > 0)


def test_clusters_and_chains_count_their_members(left):
    truth = left.truth
    assert truth.clusters
    assert truth.chains
    for cluster in truth.clusters:
        members = [one for one in truth.calcifications if one.cluster_id == cluster.cluster_id]
        assert len(members) == cluster.n_calcifications
        at = np.array([(one.row, one.col) for one in members]) * truth.pixel_spacing_mm
        assert np.hypot(*(at[:, None] - at[None]).T).max() == pytest.approx(cluster.extent_mm, rel=1e-6)
        if cluster.distribution == "grouped":
            assert cluster.extent_mm <= 20
    assert {one.chain_id for one in truth.calcifications if one.label == "vascular"} == {
        chain.chain_id for chain in truth.chains if chain.kind == "artery"
    }


@pytest.mark.parametrize("label", LABELS)
def test_every_label_is_drawn_within_its_definition(label):
    # Sediment looks different from the side; everything else is drawn alike in both views.
    view = "MLO" if label == "milk_of_calcium" else "CC"
    settings = PhantomSettings(**{**SMALL, **NO_CALCIUM, label: 1, "view": view})
    truth = make(12, settings=settings).truth
    labels = {one.label for one in truth.calcifications}
    assert label in labels
    assert labels <= {label, "fine_linear"} if label == "fine_linear_branching" else labels == {label}
    for one in truth.calcifications:
        assert one.detectability >= settings.faintest - 1e-6
        assert one.length_mm >= one.width_mm * 0.99
        assert one.runs
        within = WITHIN.get(one.label)
        assert within is None or within(one), one


def test_an_artery_calcified_all_around_is_a_row_of_hollow_tubes():
    phantom = make(8, settings=PhantomSettings(**{**SMALL, **NO_CALCIUM, "vascular_all_around": 1}))
    truth = phantom.truth
    (artery,) = truth.chains
    assert artery.kind == "artery"
    assert len(truth.calcifications) >= 2
    for one in truth.calcifications:
        assert (one.label, one.chain_id) == ("vascular", artery.chain_id)
        assert 0.3 <= one.width_mm <= 1.3
        assert one.length_mm > 1.5
    mammogram = phantom.mammogram
    bright = mammogram.pixels.astype(float) * (1 if mammogram.dense_is_bright else -1)
    widest = max(truth.calcifications, key=lambda one: one.width_mm)
    body = binary_closing(truth.mask(widest.calcification_id), iterations=4)
    depth = distance_transform_edt(body) * truth.pixel_spacing_mm / widest.width_mm
    assert bright[(depth > 0.1) & (depth < 0.22)].mean() > bright[depth > 0.35].mean()


WITHIN = {
    "large_rod_like": lambda one: 0.5 <= one.width_mm <= 1.25 and one.length_mm >= 3 * one.width_mm,
    "vascular": lambda one: 0.1 <= one.width_mm <= 0.6 and one.chain_id > 0,
    "punctate": lambda one: one.diameter_mm < 0.5,
    "round": lambda one: 0.5 <= one.diameter_mm <= 1.0,
    "rim": lambda one: 1.0 <= one.diameter_mm <= 8.0 and one.wall_mm < 1.0,
    "coarse": lambda one: one.length_mm > 2.0,
    "dystrophic": lambda one: one.length_mm > 1.0,
    "skin": lambda one: one.diameter_mm < 1.5 and one.wall_mm < 0.4,
    "fine_linear": lambda one: one.width_mm < 0.5 and one.length_mm >= 3 * one.width_mm,
    "fine_linear_branching": lambda one: one.width_mm < 0.5 and one.branched,
    "suture": lambda one: 0.2 <= one.width_mm <= 0.5,
    "fine_pleomorphic": lambda one: one.diameter_mm <= 0.6,
    "amorphous": lambda one: one.diameter_mm <= 0.6,
}


@pytest.mark.parametrize("distribution", ["diffuse", "regional", "grouped", "linear", "segmental"])
def test_the_distribution_asked_for_is_drawn(distribution):
    settings = PhantomSettings(
        **{**NO_CALCIUM, "punctate": 1}, rows=1400, columns=1000, distribution=distribution
    )
    truth = make(8, settings=settings).truth
    (cluster,) = truth.clusters
    assert cluster.distribution == distribution
    at = np.array([(one.row, one.col) for one in truth.calcifications])
    minor, major = np.sqrt(np.linalg.eigvalsh(np.cov(at.T)))
    if distribution == "linear":
        assert minor < 0.25 * major
    if distribution in ("regional", "segmental"):
        assert cluster.extent_mm > 20
    if distribution == "diffuse":
        assert cluster.extent_mm > 40


@pytest.mark.parametrize(("asked", "drawn"), [("", {"segmental", "linear"}), ("segmental", {"segmental"})])
def test_casts_that_fill_one_duct_are_a_line(asked, drawn):
    casts = {**NO_CALCIUM, "fine_linear": 2}
    settings = PhantomSettings(**casts, rows=1400, columns=1000, detector="caesium_100", distribution=asked)
    truth = make(8, settings=settings).truth
    assert {cluster.distribution for cluster in truth.clusters} == drawn
    for cluster in truth.clusters:
        at = [(one.row, one.col) for one in truth.calcifications if one.cluster_id == cluster.cluster_id]
        minor, major = np.sqrt(np.linalg.eigvalsh(np.cov(np.array(at).T)))
        assert cluster.distribution == "segmental" or minor < 0.1 * major


def test_no_calcium_leaves_no_truth_but_distractors():
    truth = make(6, settings=PhantomSettings(**SMALL).without_calcium()).truth
    assert truth.calcifications == truth.clusters == truth.chains == ()
    assert {one.kind for one in truth.distractors} >= {"fibre", "ligament"}


def test_distractors_say_where_they_are(left):
    (marker,) = (one for one in left.truth.distractors if one.kind == "marker")
    assert left.mammogram.pixels[round(marker.row), round(marker.col)] > 4000
    (clip,) = (one for one in left.truth.distractors if one.kind == "clip")
    assert left.mammogram.pixels[round(clip.row), round(clip.col)] > 3500


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"detector": "no such"}, "detector: 'no such' is none of"),
        ({"view": "ML"}, "view: 'ML'"),
        ({"rows": 10}, "rows: 10 is outside 200 to 8192"),
        ({"large_rod_like": -1}, "large_rod_like: -1 is outside"),
        ({"density": "much"}, "density: a number is needed"),
        ({"distribution": "somewhere"}, "distribution: 'somewhere'"),
    ],
)
def test_settings_are_held_to_their_bounds(values, words):
    with pytest.raises(InvalidParameter, match=words):
        PhantomSettings(**values)
