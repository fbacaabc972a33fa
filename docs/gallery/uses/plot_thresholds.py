"""
What hangs on a threshold
=========================

Most thresholds of the lexicon are proposals, open to tuning. What would change if one
were moved is known at once: the rules are applied anew, nothing is searched or measured
again.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import mammocalc as mc
from mammocalc.classify import classify, threshold_sensitivity
from mammocalc.phantom import SAMPLES, make

sample = SAMPLES["classic_benign_left_cc"]
findings = mc.detect(make(sample.seed, settings=sample.settings).mammogram)
handed = findings.measurements, findings.arrangement

# %%
# Every threshold, a tenth down and a tenth up: those that change a label here.

for shift in threshold_sensitivity(*handed, findings.lexicon):
    if shift.relabelled:
        changes = ", ".join(
            f"{before} → {after} {n}" for (before, after), n in shift.changes.items()
        )
        print(f"{shift.threshold} {shift.value:g} → {shift.moved_to:.3g}: {changes}")

# %%
# One threshold over its whole range: the calibre from which a smooth elongated
# calcification is a rod.

calibres = np.linspace(0.3, 1.0, 36)
counts = {"large_rod_like": [], "fine_linear": [], "unclassified": []}
for calibre in calibres:
    lexicon = findings.lexicon.with_threshold("rod_calibre_mm", calibre)
    labels = classify(*handed, lexicon).label
    for name, count in counts.items():
        count.append((labels == name).sum())

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for name, count in counts.items():
    ax.step(calibres, count, where="mid", label=name.replace("_", " "))
ax.axvline(
    findings.lexicon.thresholds["rod_calibre_mm"].value, color="0.7", ls="--", zorder=0
)
ax.set(xlabel="rod_calibre_mm", ylabel="calcifications")
ax.legend()
plt.show()

# %%
# To keep a change, write it down: a file of one line is enough for ``--rules`` and
# :func:`mammocalc.load_lexicon`.

with TemporaryDirectory() as folder:
    own = Path(folder) / "my.toml"
    own.write_text("thresholds.rod_calibre_mm = 0.6\n", encoding="utf-8")
    print(mc.load_lexicon(own).thresholds["rod_calibre_mm"])
