"""How good the findings are: free-response curves, overlap, clusters, reliability, on synthetic and public images.

>>> from mammocalc.evaluate import evaluate_run
>>> print(evaluate_run("findings/", "phantoms/").as_text())  # doctest: +SKIP
"""

from mammocalc.evaluate.datasets import read_truth
from mammocalc.evaluate.detections import Detections, detections_of, read_detections
from mammocalc.evaluate.evaluation import Evaluation, evaluate
from mammocalc.evaluate.judge import Outcome, judge
from mammocalc.evaluate.matching import Marks, Matches, match
from mammocalc.evaluate.run import evaluate_run
from mammocalc.evaluate.truth import DataSet, Region, Specks, TrueImage

__all__ = [
    "DataSet",
    "Detections",
    "Evaluation",
    "Marks",
    "Matches",
    "Outcome",
    "Region",
    "Specks",
    "TrueImage",
    "detections_of",
    "evaluate",
    "evaluate_run",
    "judge",
    "match",
    "read_detections",
    "read_truth",
]
