"""
Measure: sizes corrected for blur
=================================

Length, calibre, diameter, wall and edge in millimetres, sub-pixel. A width read off an
outline at half of the contrast is wrong both ways: blur makes thin bodies wider, and a
round body reaches half of its thickness only inside its rim. Here it is the width of
the body (bar, cylinder, disc, sphere or shell) whose blurred profile fits the pixels
best. :doc:`/reference/tables` says what each column means.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import mammocalc as mc
from mammocalc.evaluate import Marks, detections_of, match
from mammocalc.phantom import SAMPLES, PhantomSettings, make, make_gauge
from mammocalc.write.closeup import write_closeup

# %%
# Test objects
# ------------
#
# Wires and balls of known size on plain fat, imaged by a detector of 70 µm. What is
# drawn below is the true size against the measured one, beside what the outline alone
# would have said.


def measured(kind, sizes_mm):
    """True and measured size of every test object found, and that of its outline."""
    gauge = make_gauge(
        3,
        kind,
        sizes_mm,
        settings=PhantomSettings(rows=1300, columns=1000),
        length_mm=5.0,
    )
    findings = mc.detect(gauge.mammogram)
    truth = gauge.truth.calcifications
    places = Marks(
        *(
            np.array([getattr(one, name) for one in truth])
            for name in ("row", "col", "diameter_mm")
        )
    )
    found = detections_of(findings)
    hit = match(
        found.marks, found.score, places, findings.mammogram.pixel_spacing_mm
    ).detection_of
    columns = findings.measurements.columns
    true = np.array([one.width_mm for one in truth])[hit >= 0]
    by_outline = np.sqrt(4 / np.pi * columns["filled_area_mm2"])
    if kind == "wire":
        by_outline = columns["filled_area_mm2"] / columns["length_mm"]
    name = "width_mm" if kind == "wire" else "diameter_mm"
    return true, columns[name][hit[hit >= 0]], by_outline[hit[hit >= 0]], findings


sizes = np.linspace(0.15, 1.2, 22)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for ax, kind, what in zip(
    axes, ("wire", "ball"), ("calibre of wires", "diameter of balls"), strict=True
):
    true, fitted, outlined, findings = measured(kind, sizes)
    ax.plot([0, 1.3], [0, 1.3], color="0.8", zorder=0)
    ax.plot(true, outlined, "x", color="0.5", label="from the area of the outline")
    ax.plot(
        true,
        fitted,
        "o",
        color="tab:blue",
        label=f"measured: {'width_mm' if kind == 'wire' else 'diameter_mm'}",
    )
    ax.set(
        title=what,
        xlabel="true (mm)",
        ylabel="measured (mm)",
        xlim=(0, 1.3),
        ylim=(0, 1.3),
        aspect="equal",
    )
    ax.legend(loc="upper left")
plt.show()
blur = findings.measurements.detector_blur_mm
print(f"blur of the detector: estimated {blur:.3f} mm, true 0.040 mm")

# %%
# A close-up
# ----------
#
# The axis is followed through the body and the calibre taken across it; the walls drawn
# are half a calibre away. ``mammocalc explain DIR ID`` makes the same picture, with all
# measurements and the decision in words beside it.

sample = SAMPLES["classic_benign_left_cc"]
findings = mc.detect(make(sample.seed, settings=sample.settings).mammogram)
rods = findings.calcifications.query("branches == 0 and lucency < 0.2")
longest = int(rods.loc[rods["elongation"].idxmax(), "calcification_id"])
with TemporaryDirectory() as folder:
    closeup = plt.imread(write_closeup(findings, longest, Path(folder) / "closeup.png"))
figure = plt.figure()
figure.figimage(closeup[:, : int(0.655 * closeup.shape[1])], resize=True)
plt.show()
