"""
Prepare: anatomy, and noise that is the same everywhere
=======================================================

The stored values become a plane in which bright means dense and the pixel noise has
unit variance, whatever the maker, the dose and the processing. What lies where is found
on cells of half a millimetre: breast, pectoral muscle, skin line, nipple, and what is
not breast at all.
"""

import matplotlib.pyplot as plt
import numpy as np

from mammocalc.phantom import SAMPLES, make
from mammocalc.prepare import prepare

sample = SAMPLES["mixed_right_mlo"]
phantom = make(sample.seed, settings=sample.settings)
scene = prepare(phantom.mammogram)
anatomy = scene.anatomy

# %%
# Anatomy
# -------
#
# The outline of the breast runs along the steepest edge; the muscle is a bright corner
# behind a line that falls off all along; the nipple is where the skin line stands
# farthest out, bulges and is dense beneath. Burned-in letters, markers and clips are
# told from calcium by three signs at once (extreme, flat with a sharp edge, of a
# marker's shape) and are not searched.


def shown(ax, mask, colour):
    """A mask of cells over the stored image."""
    layer = np.zeros((*mask.shape, 4))
    layer[mask] = colour
    rows, columns = mask.shape
    ax.imshow(
        layer,
        extent=(-0.5, columns * anatomy.step - 0.5, rows * anatomy.step - 0.5, -0.5),
    )


def edge(ax, mask, colour, label):
    """The outline of a mask of cells."""
    place = [np.arange(n) * anatomy.step + anatomy.step / 2 for n in mask.shape]
    ax.contour(place[1], place[0], mask, [0.5], colors=colour, linewidths=1.5)
    ax.plot([], [], color=colour, label=label)


image = phantom.mammogram.pixels
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 6.5), layout="constrained")
left.imshow(image)
edge(left, anatomy.breast, "tab:cyan", "breast")
edge(left, anatomy.pectoral, "tab:orange", "pectoral muscle")
if anatomy.foreign.any():
    shown(left, anatomy.foreign, (1.0, 0.3, 0.3, 0.8))
    left.plot([], [], color="tab:red", label="not breast")
left.plot(
    *anatomy.nipple[::-1],
    "o",
    mfc="none",
    mec="yellow",
    ms=12,
    mew=2,
    ls="none",
    label="nipple, found",
)
left.plot(
    *phantom.truth.nipple[::-1],
    "+",
    color="yellow",
    ms=12,
    ls="none",
    label="nipple, true",
)
left.legend(
    loc="lower left",
    facecolor="black",
    labelcolor="white",
    frameon=True,
    framealpha=0.7,
)
left.set(
    title="anatomy on the stored image",
    xlim=(0, image.shape[1]),
    ylim=(image.shape[0], 0),
)
distance = np.where(anatomy.breast, anatomy.skin_distance_mm, np.nan)
drawn = right.imshow(distance, cmap="viridis")
right.set(title="distance to the skin line", xticks=[], yticks=[])
figure.colorbar(drawn, ax=right, label="mm", shrink=0.8)
plt.show()

# %%
# Noise
# -----
#
# The noise of a pixel depends on its value, and on each system in another way. The
# curve is estimated from the image itself, from a small high-pass residual (Bria et al.
# 2016); the look-up table is the integral of one over the deviation, which makes the
# noise the same everywhere (Bartlett 1947). Here on raw data, whose quantum noise grows
# with the root of the exposure.

sample = SAMPLES["suspicious_left_cc_raw"]
raw = make(sample.seed, settings=sample.settings).mammogram
scene = prepare(raw)

step = scene.anatomy.step
deep = np.kron(scene.anatomy.skin_distance_mm > 3.0, np.ones((step, step), bool))
rows, columns = scene.plane.shape
top, left_column = scene.origin
window = (slice(top, top + rows), slice(left_column, left_column + columns))


def local_noise(values):
    """Robust deviation of a small high-pass residual, by the local mean."""
    values = values.astype(float)
    around = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]
    inside = deep[window][: rows - 2, : columns - 2]
    around = around[: inside.shape[0], : inside.shape[1]][inside] / 4
    residual = (
        values[1:-1, 1:-1][: inside.shape[0], : inside.shape[1]][inside] - around
    ) / np.sqrt(1.25)
    edges = np.quantile(around, np.linspace(0.02, 0.98, 25))
    place = np.digitize(around, edges)
    bins = [place == k for k in range(1, len(edges))]
    level = [around[inside].mean() for inside in bins]
    return level, [1.4826 * np.median(np.abs(residual[inside])) for inside in bins]


figure, (one, other) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
one.plot(
    *local_noise(raw.pixels[window]),
    "o",
    ms=4,
    color="0.4",
    label="measured in the picture",
)
one.plot(
    scene.noise_level, scene.noise_sigma, color="tab:blue", label="estimated curve"
)
one.set(title="before", xlabel="stored value", ylabel="standard deviation of the noise")
levels, deviations = one.lines[0].get_data()
one.set(xlim=(0, 1.1 * max(levels)), ylim=(0, 1.2 * max(deviations)))
one.legend()
other.plot(*local_noise(scene.plane), "o", ms=4, color="0.4")
other.axhline(1, color="tab:blue")
other.set(
    title="after",
    xlabel="plane value (dense is high)",
    ylabel="standard deviation of the noise",
    ylim=(0, 2),
)
plt.show()
