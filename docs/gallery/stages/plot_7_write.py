"""
Write: tables, pictures, pages, DICOM
=====================================

What a reader, a statistician and a workstation each need of the same findings.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt

import mammocalc as mc
from mammocalc.phantom import SAMPLES, make, write_phantom

folder = TemporaryDirectory()
sample = SAMPLES["film_right_cc"]
file = write_phantom(
    make(sample.seed, settings=sample.settings),
    Path(folder.name),
    "film_right_cc",
    sample.transfer_syntax,
)
findings = mc.detect(file)

# %%
# Tables and a picture of one image; a run over a folder leaves the same for all of its
# images.

out = findings.save(Path(folder.name) / "findings")
for path in sorted(out.rglob("*")):
    if path.is_file():
        print(path.relative_to(out), f"{path.stat().st_size / 1e3:.0f} kB")

# %%
# The overlay: outlines by label, heavier where suspicious, with a legend and a scale.

overlay = plt.imread(next((out / "overlays").glob("*.png")))
figure, ax = plt.subplots(figsize=(10, 10 * overlay.shape[0] / overlay.shape[1]))
ax.imshow(overlay)
ax.axis("off")
ax.set_position((0, 0, 1, 1))
plt.show()

# %%
# The tables are those of a run, with the same columns in the same order:
# :doc:`/reference/tables`.

tables = mc.read_tables(out)
tables["calcifications"][
    [
        "calcification_id",
        "length_mm",
        "width_mm",
        "elongation",
        "label",
        "rule",
        "margin",
    ]
].head()

# %%
# DICOM objects join the study of the image and repeat what it says of the patient (here
# a phantom). A Mammography CAD SR is read back by :func:`mammocalc.read_cad_sr`, ours
# or another maker's.

for path in mc.write_dicom(
    findings, Path(folder.name) / "objects", write=("cad-sr", "pr")
):
    print(path.name[-12:], f"{path.stat().st_size / 1e3:.0f} kB")
    if path.name.endswith("cad-sr.dcm"):
        report = mc.read_cad_sr(path)
print(report.algorithm, report.version)
for one in report.images[0].all_calcifications[:5]:
    print(f"{one.calcification_id}: {one.label}, {one.length_mm} mm, row {one.row:.1f}")

# %%

folder.cleanup()
