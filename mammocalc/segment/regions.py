"""What the segment stage hands over: candidate regions as runs of pixels, with a detection score each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Regions:
    """Candidate regions in plane coordinates, as horizontal runs grouped by region, ordered by first pixel.

    Region k (0-based) owns runs ``offsets[k]:offsets[k + 1]``; a run is the plane pixels
    ``(run_row, run_start) .. (run_row, run_stop - 1)``. Runs of a region are sorted by row, then start; regions never
    share a pixel.

    Attributes
    ----------
    shape : tuple of int
        Shape of the plane.
    offsets : ndarray of int64, shape (n + 1,)
        Where the runs of each region begin.
    run_row, run_start, run_stop : ndarray of int32, shape (n_runs,)
        Plane row, first plane column, one past the last.
    bounds : ndarray of int32, shape (n, 4)
        row_min, col_min, row_max, col_max, half open, plane pixels.
    score : ndarray of float64, shape (n,)
        Detection score, 0 to 1.
    evidence : dict of str to ndarray of float64, shape (n,)
        What the score was made of, by feature name; score_alone is what it would be if no artery were beneath.
    """

    shape: tuple[int, int]
    offsets: NDArray[np.int64]
    run_row: NDArray[np.int32]
    run_start: NDArray[np.int32]
    run_stop: NDArray[np.int32]
    bounds: NDArray[np.int32]
    score: NDArray[np.float64]
    evidence: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        """Number of regions."""
        return len(self.score)

    def mask(self, k: int) -> NDArray[np.bool_]:
        """The pixels of one region inside its bounds.

        Parameters
        ----------
        k : int
            Number of the region, 0-based.

        Returns
        -------
        ndarray of bool, shape (row_max - row_min, col_max - col_min)
            True on the region.
        """
        row_min, col_min, row_max, col_max = self.bounds[k]
        out = np.zeros((row_max - row_min, col_max - col_min), np.bool_)
        for i in range(self.offsets[k], self.offsets[k + 1]):
            out[self.run_row[i] - row_min, self.run_start[i] - col_min : self.run_stop[i] - col_min] = True
        return out

    def labels(self) -> NDArray[np.int32]:
        """The label image.

        Returns
        -------
        ndarray of int32, shape `shape`
            0 is background, region k is k + 1.
        """
        out = np.zeros(self.shape, np.int32)
        for k in range(len(self)):
            for i in range(self.offsets[k], self.offsets[k + 1]):
                out[self.run_row[i], self.run_start[i] : self.run_stop[i]] = k + 1
        return out
