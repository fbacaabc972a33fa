"""DICOM objects: synthetic mammograms, and findings where readers look for them."""

from mammocalc.write.dicom.mammogram import TRANSFER_SYNTAXES, Origin, write_mammogram

__all__ = ["TRANSFER_SYNTAXES", "Origin", "write_mammogram"]
