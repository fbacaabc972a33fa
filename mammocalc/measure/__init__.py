"""One row of features a candidate: size, elongation, calibre, lucent centre, contrast, in mm."""

from mammocalc.measure.features import FEATURES, Feature
from mammocalc.measure.measure import measure
from mammocalc.measure.measurements import Measurements
from mammocalc.measure.parameters import MeasureParameters

__all__ = ["FEATURES", "Feature", "MeasureParameters", "Measurements", "measure"]
