"""
Read: stored values, their scale and their sense
================================================

A file becomes a :class:`mammocalc.Mammogram`: the stored pixel values, how large a
pixel is in the plane of the breast, whether bright means dense, side and view. Nothing
is rescaled or inverted here.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import mammocalc as mc
from mammocalc.phantom import SAMPLES, make, write_phantom

# %%
# Two systems, written as DICOM in two transfer syntaxes and read back: a processed
# image, and the raw data of a detector, in which a high value means that many photons
# arrived, so that dense is dark.

folder = TemporaryDirectory()
images = {}
for name in ("mixed_right_mlo", "suspicious_left_cc_raw"):
    sample = SAMPLES[name]
    phantom = make(sample.seed, settings=sample.settings)
    file = write_phantom(phantom, Path(folder.name), name, sample.transfer_syntax)
    images[name] = mc.read(file)
    print(f"{file.name}, {file.stat().st_size / 1e6:.1f} MB, {sample.transfer_syntax}")

for image in images.values():
    print(
        f"{image.laterality} {image.view}, {image.pixels.shape} {image.pixels.dtype}, "
        f"{image.bits_stored} bits, {image.pixel_spacing_mm} mm, {image.intent}, "
        f"dense is {'bright' if image.dense_is_bright else 'dark'}"
    )

# %%
# Both as they are stored. The values below show why nothing that follows may depend on
# them: the two histograms have nothing in common but the breast.

figure, axes = plt.subplots(
    2, 2, figsize=(9, 8), height_ratios=(3, 1), layout="constrained"
)
for image, (picture, histogram) in zip(images.values(), axes.T, strict=True):
    low, high = np.percentile(image.pixels, (0.5, 99.8))
    picture.imshow(image.pixels, vmin=low, vmax=high)
    picture.set(
        title=f"{image.intent.lower()}, as stored",
        xlabel="column (px)",
        ylabel="row (px)",
    )
    histogram.hist(image.pixels.ravel()[::7], bins=120, color="0.4")
    histogram.set(yscale="log", xlabel="stored value", ylabel="pixels")
plt.show()

# %%
# PNG, TIFF and PGM hold pixels only. Their spacing is asked for, and never guessed:
# every size would be wrong with it.

rows, columns = images["mixed_right_mlo"].pixels.shape
pgm = Path(folder.name) / "scan.pgm"
pgm.write_bytes(
    b"P5 %d %d 65535\n" % (columns, rows)
    + images["mixed_right_mlo"].pixels.astype(">u2").tobytes()
)
try:
    mc.read(pgm)
except mc.UnreadableInput as error:
    print(error)
print(mc.read(pgm, pixel_spacing_mm=0.085).pixel_spacing_mm)

# %%
# Where the spacing came from is kept: for DICOM the attribute, brought into the plane
# of the breast by the magnification that the header states.

print(images["mixed_right_mlo"].spacing_source)

# %%
# What is sound but no mammogram raises :class:`mammocalc.SkippedInput`, what is damaged
# :class:`mammocalc.UnreadableInput`; a run over a folder turns either into a row with
# its reason.

folder.cleanup()
