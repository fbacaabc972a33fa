"""
Is the score a probability?
===========================

Of the marks with a score of 0.7, seven in ten should be true. This is how to look, on a
handful of phantoms of the test seeds: far too few for a figure to quote, which
``benchmarks/bench_detection.py`` is for.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt

import mammocalc as mc
from mammocalc.evaluate import evaluate_run
from mammocalc.phantom import TEST_SEEDS, write_phantoms

folder = TemporaryDirectory()
inputs, out = Path(folder.name) / "phantoms", Path(folder.name) / "findings"
write_phantoms(inputs, TEST_SEEDS[:4], "mixed")
mc.detect_folder(inputs, out, min_score=0.0, write=())
evaluation = evaluate_run(out, inputs, resamples=200)
evaluation.plot(Path(folder.name) / "figure.png")

picture = plt.imread(Path(folder.name) / "figure.png")
figure = plt.figure(figsize=(picture.shape[1] / 100, picture.shape[0] / 100))
figure.figimage(picture, resize=True)
plt.show()

# %%
# The same in words, as ``mammocalc evaluate FINDINGS TRUTH`` prints it.

print(evaluation.as_text())

# %%

folder.cleanup()
