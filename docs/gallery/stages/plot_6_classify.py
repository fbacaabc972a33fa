"""
Classify: rules that are data
=============================

Every calcification gets the label of the first rule whose conditions are met, then
every cluster by its members. Rules, thresholds and sources are a TOML file, listed in
full in :doc:`/reference/lexicon`.
"""

import matplotlib.pyplot as plt

import mammocalc as mc
from mammocalc.phantom import SAMPLES, make
from mammocalc.write.palette import LABEL_COLOURS, hexadecimal, words

sample = SAMPLES["mixed_right_mlo"]
findings = mc.detect(make(sample.seed, settings=sample.settings).mammogram)

figure, ax = plt.subplots(figsize=(8.5, 9), layout="constrained")
findings.plot(ax)
plt.show()

# %%
# Length and elongation tell much, though not all: three descriptors of long ones (rods,
# casts, threads) and of compact ones overlap here and are told apart by calibre, edge
# and company.

table = findings.calcifications
figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
for label, rows in table.groupby("label"):
    colour = hexadecimal(LABEL_COLOURS[label])
    ax.plot(
        rows["length_mm"],
        rows["elongation"],
        "o",
        color=colour,
        mec="0.3",
        mew=0.5,
        label=words(label),
    )
ax.set(xscale="log", yscale="log", xlabel="length (mm)", ylabel="length over calibre")
ax.set_xticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "1", "2", "5", "10"])
ax.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
# Why
# ---
#
# An explanation names the rule, each condition with the value and the threshold, the
# rules that were tried before and what each failed by. `margin` says how far the values
# are from another label, in soft edges: 0 stands on a threshold.

longest = table.sort_values("length_mm").iloc[-2]
print(findings.explain(int(longest["calcification_id"])).brief())

# %%
# A notebook shows the same as a table, here of the one nearest to the skin.

skin = table.sort_values("skin_distance_mm").iloc[0]
findings.explain(int(skin["calcification_id"]))

# %%
# Clusters are judged as a whole: what most members are, unless a few of them are worse.

findings.clusters[
    [
        "cluster_id",
        "n_calcifications",
        "extent_mm",
        "distribution",
        "morphology",
        "suspicion",
    ]
]
