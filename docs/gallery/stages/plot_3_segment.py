"""
Segment: candidates, their outlines, their score
================================================

Where something small stands out of local noise and texture, how far it reaches, and how
sure it is that it is calcium.
"""

import matplotlib.pyplot as plt
import numpy as np

from mammocalc.phantom import SAMPLES, make
from mammocalc.prepare import prepare
from mammocalc.segment import SegmentParameters, segment
from mammocalc.segment.score import built_in_score
from mammocalc_kernels.scale_space import blob_response

sample = SAMPLES["suspicious_left_cc_raw"]
phantom = make(sample.seed, settings=sample.settings)
scene = prepare(phantom.mammogram)
parameters = SegmentParameters(min_score=0.0)
regions = segment(scene, parameters)
print(
    len(regions),
    "candidates,",
    int((regions.score >= 0.5).sum()),
    "with a score of 0.5 or more",
)

# %%
# Response
# --------
#
# The plane is filtered by differences of Gaussians, each a scale (Netsch & Peitgen
# 1999). The strongest response over the scales is judged against the strength of noise
# and texture around it; what reaches the seed threshold grows down to a lower one.

pitch = scene.pixel_spacing_mm
sigmas = [
    parameters.finest_scale_mm / pitch * parameters.scale_ratio**k for k in range(4)
]
response = blob_response(scene.plane, sigmas, np.ones(len(sigmas) - 1, np.float32))
true = phantom.truth.clusters[0]
row, col = int(true.row) - scene.origin[0], int(true.col) - scene.origin[1]
half = int(7 / pitch)
window = (slice(max(row - half, 0), row + half), slice(max(col - half, 0), col + half))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
left.imshow(scene.plane[window])
left.set(title="plane: unit noise, bright is dense")
spread = 1.4826 * np.median(np.abs(response))
drawn = right.imshow(response[window] / spread, vmin=0, vmax=12, cmap="magma")
right.set(title="strongest response over three scales")
figure.colorbar(
    drawn, ax=right, label="in units of its spread over the breast", shrink=0.85
)
for ax in (left, right):
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Outlines
# --------
#
# Within a component, every local maximum founds a basin, and a pixel belongs to it
# while it keeps half of the basin's own contrast above the background: the full width
# at half maximum. Basins that meet at a shallow saddle are one object, so that a rod of
# uneven brightness stays whole and touching specks come apart. Yellow: score 0.5 or
# more; blue: less; the brightest colour of each is the surest.

labels = regions.labels()[window]
figure, ax = plt.subplots(figsize=(7, 7), layout="constrained")
ax.imshow(scene.plane[window])
for number in np.unique(labels[labels > 0]):
    score = regions.score[number - 1]
    colour = (
        (1, 0.85, 0.1, 0.3 + 0.7 * score)
        if score >= 0.5
        else (0.3, 0.6, 1.0, 0.25 + score)
    )
    ax.contour(labels == number, [0.5], colors=[colour], linewidths=1.4)
ax.set(title="outlines of all candidates", xticks=[], yticks=[])
plt.show()

# %%
# Score
# -----
#
# Small decision trees weigh the evidence of each candidate up to log-odds. By these,
# candidates support each other: calcifications seldom come alone. More trees then weigh
# all evidence together. They are files to read, ``score_own.txt`` and
# ``score_together.txt`` in ``mammocalc/segment``;
# :doc:`/guide/phantom_and_scores` tells how they were grown. These curves show what
# one piece of evidence does: the mean log-odds of this image's candidates if all had
# the same value of it.

score = built_in_score()
shown = {
    "response": score.own,
    "background_ratio": score.own,
    "edge_width_mm": score.own,
    "diameter_mm": score.own,
    "own_log_odds": score.together,
    "neighbours": score.together,
}
figure, axes = plt.subplots(2, 3, figsize=(10, 5), sharey=True, layout="constrained")
for ax, (name, trees) in zip(axes.flat, shown.items(), strict=True):
    known = regions.evidence
    values = np.linspace(*np.quantile(known[name], (0.02, 0.98)), 60)
    same = ({**known, name: np.full(len(regions), value)} for value in values)
    ax.plot(values, [trees.log_odds(evidence).mean() for evidence in same])
    ax.set(xlabel=name, xlim=(values[0], values[-1]))
for ax in axes[:, 0]:
    ax.set_ylabel("mean log-odds")
plt.show()

# %%
# How the candidates of this one image came out: most are faint ripples of tissue and
# score near 0.

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.hist(regions.score, bins=np.linspace(0, 1, 41), color="0.4")
ax.axvline(0.5, color="tab:red", label="operating point, min_score")
ax.set(xlabel="score", ylabel="candidates", yscale="log")
ax.legend()
plt.show()
