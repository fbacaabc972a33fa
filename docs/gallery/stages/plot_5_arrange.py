"""
Arrange: tracks along vessels, clusters, company
================================================

What a calcification is depends on its company: two parallel chains of strands are an
artery, five specks on a square centimetre are a group, a rod among rods along the ducts
is another thing than a single one.
"""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np

import mammocalc as mc
from mammocalc.phantom import SAMPLES, PhantomSettings, make


def with_company(name):
    """Findings on one of the samples."""
    sample = SAMPLES[name]
    return mc.detect(make(sample.seed, settings=sample.settings).mammogram)


# %%
# Chains
# ------
#
# Strands that continue each other, end to end or side by side, make a track; tracks
# that go on across a gap are bridged where a ridge of a vessel's width leads over it.
# Length, bends, the distance of the two walls and the share on such a ridge are what
# the rules ask about.

findings = with_company("classic_benign_left_cc")
figure, ax = plt.subplots(figsize=(8, 9), layout="constrained")
findings.plot(ax)
ax.set_title("chains, drawn along their curves")
plt.show()

chains = findings.calcifications.query("chain_id > 0").groupby("chain_id").first()
chains[
    [
        "chain_n",
        "chain_length_mm",
        "wall_separation_mm",
        "paired_length_mm",
        "vessel_fraction",
        "chain_nipple_angle_deg",
    ]
]

# %%
# Clusters
# --------
#
# What is neither in a vessel's wall, nor a rod, nor skin is linked with its neighbours,
# and parted where two kinds lie beside each other; a cluster's extent, hull and axes,
# and its place towards the nipple, give the BI-RADS term for its distribution. Groups
# that were asked to be drawn in four ways:

figure, axes = plt.subplots(1, 4, figsize=(11, 4.2), layout="constrained")
for ax, (distribution, label) in zip(
    axes.flat,
    [
        ("grouped", "punctate"),
        ("linear", "punctate"),
        ("segmental", "amorphous"),
        ("regional", "punctate"),
    ],
    strict=True,
):
    plain = PhantomSettings(
        rows=1100, columns=800, distribution=distribution, difficulty=0.1
    ).without_calcium()
    settings = dataclasses.replace(plain, **{label: 1})
    findings = mc.detect(make(3, settings=settings).mammogram)
    points = findings.calcifications[["col", "row"]].to_numpy()
    member = findings.calcifications["cluster_id"].to_numpy() > 0
    top, left = findings.scene.origin
    rows, cols = findings.scene.plane.shape
    low, high = np.percentile(findings.scene.plane, (5, 99.9))
    ax.imshow(
        findings.scene.plane,
        vmin=low,
        vmax=high,
        extent=(left - 0.5, left + cols - 0.5, top + rows - 0.5, top - 0.5),
    )
    ax.plot(*points[member].T, "o", mfc="none", mec="yellow", ms=7)
    ax.plot(*points[~member].T, "o", mfc="none", mec="tab:blue", ms=7)
    found = ", ".join(
        f"{row.distribution} ({row.n_calcifications})"
        for row in findings.clusters.itertuples()
    )
    ax.set(title=f"drawn {distribution}\nfound {found or 'none'}", xticks=[], yticks=[])
plt.show()

# %%
# Yellow: members of a cluster; blue: found, in none. Not every one comes out as it was
# drawn: a narrow segment looks like a line, a short line like a group. A distribution
# is a matter of thresholds as a label is: :doc:`/reference/parameters` lists them.
