"""From a file to `Mammogram`: all that is known of DICOM and raster formats."""

from mammocalc.read.identify import identify
from mammocalc.read.limits import ReadLimits
from mammocalc.read.mammogram import Mammogram
from mammocalc.read.reader import count_frames, read, read_frames

__all__ = ["Mammogram", "ReadLimits", "count_frames", "identify", "read", "read_frames"]
