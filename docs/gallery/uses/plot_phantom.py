"""
A synthetic mammogram and its truth
===================================

A phantom is computed from a seed: the same seed and settings give the same pixels, and
everything drawn is known exactly.
"""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np

from mammocalc.phantom import PhantomSettings, make
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal, words

settings = PhantomSettings(
    rows=1200,
    columns=860,
    density=0.4,
    fine_pleomorphic=1,
    milk_of_calcium=1,
    suture=1,
    amorphous=1,
)
phantom = make(42, settings=settings)
truth = phantom.truth

labels = [one.label for one in truth.calcifications]
figure, ax = plt.subplots(figsize=(8.5, 8), layout="constrained")
ax.imshow(phantom.mammogram.pixels)
for label in dict.fromkeys(labels):
    places = np.array(
        [(one.col, one.row) for one in truth.calcifications if one.label == label]
    )
    ax.plot(
        *places.T,
        "o",
        mfc="none",
        mec=hexadecimal(LABEL_COLOURS[label]),
        ms=9,
        label=f"{words(label)} {len(places)}",
    )
for chain in truth.chains:
    ax.plot(
        [col for _, col in chain.polyline],
        [row for row, _ in chain.polyline],
        color="white",
        lw=0.7,
    )
ax.set(
    title=f"seed {truth.seed}: {len(labels)} calcifications",
    xlabel="column (px)",
    ylabel="row (px)",
)
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
# The same breast on other systems: another pixel, blur, noise and processing. What a
# detector cannot resolve is in the truth all the same, with how visible it is.

figure, axes = plt.subplots(1, 4, figsize=(11, 3.4), layout="constrained")
small = dataclasses.replace(settings, view_label=False)
for ax, detector in zip(
    axes, ("selenium_70", "caesium_100", "film_100", "film_200"), strict=True
):
    pitch = {"selenium_70": 0.07, "caesium_100": 0.1, "film_100": 0.1, "film_200": 0.2}[
        detector
    ]
    size = {"rows": round(1200 * 0.07 / pitch), "columns": round(860 * 0.07 / pitch)}
    other = make(42, settings=dataclasses.replace(small, detector=detector, **size))
    group = next(one for one in other.truth.clusters if one.label == "fine_pleomorphic")
    half = 7.0 / pitch
    ax.imshow(other.mammogram.pixels)
    ax.set(
        xlim=(group.col - half, group.col + half),
        ylim=(group.row + half, group.row - half),
        xticks=[],
        yticks=[],
    )
    ax.set_title(f"{detector}, {pitch * 1000:.0f} µm")
plt.show()

# %%
# Test objects of known size on plain fat check the measurements:
# :func:`mammocalc.phantom.make_gauge`. Whole sets, for benches, come from
# :data:`mammocalc.phantom.scenes.SCENES` or ``mammocalc phantom --count N``.

one = truth.calcifications[0]
print(
    {name: value for name, value in dataclasses.asdict(one).items() if name != "runs"}
)
