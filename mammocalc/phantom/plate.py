"""The plate that calcium is laid on: solids in, added attenuation and exact truth out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mammocalc.phantom.anatomy import Breast
from mammocalc.phantom.settings import Detector
from mammocalc.phantom.visibility import bands, visibility

Plane = NDArray[np.float64]
Projection = Callable[[Plane, Plane], Plane]
"""Thickness in mm at (y, x) in mm around the solid's own centre."""

FINEST_MM = 0.018
"""Largest side of a sub-pixel on the grid that solids are computed on; never less than 4 sub-pixels a pixel."""

LIFT = 0.7
"""Largest logarithm by which a calcification that would be hidden is raised above the limit."""

HIGHEST_PER_MM = 1.6
"""Attenuation of dense calcium above tissue, 1/mm: nothing is drawn stronger than this to make it visible."""


@dataclass(frozen=True)
class Solid:
    """A projection with what is known of it. Lengths left None are measured on the projection's own fine grid.

    `half_mm` is the reach of the solid around its centre; `peak_window_mm` the neighbourhood in which its thickness is
    compared with its local peak, 0 for the whole solid.
    """

    label: str
    projection: Projection
    half_mm: float
    per_mm: float
    length_mm: float | None = None
    width_mm: float | None = None
    diameter_mm: float | None = None
    wall_mm: float | None = None
    orientation_deg: float | None = None
    peak_window_mm: float = 0.0
    branched: bool = False


@dataclass(frozen=True, eq=False)
class Deposit:
    """A solid that was laid down, in pixels of the plate (chest wall at column 0)."""

    solid: Solid
    row: float
    col: float
    contrast: float
    cnr: float
    detectability: float
    top: int
    left: int
    added: Plane
    mask: NDArray[np.bool_]
    cluster_id: int = 0
    chain_id: int = 0


class Plate:
    """Calcium as added attenuation over one breast; refuses what would touch something or leave the breast."""

    def __init__(
        self, breast: Breast, tissue: Plane, detector: Detector, faintest: float, rng: np.random.Generator
    ) -> None:
        self.breast = breast
        self.pitch = breast.pitch_mm
        self.detector = detector
        self.faintest = faintest
        self._rng = rng
        self.calcium = np.zeros_like(tissue)
        self.taken = np.zeros(tissue.shape, np.bool_)
        self.deposits: list[Deposit] = []
        self._tissue = tissue
        self._reference = reference_attenuation(tissue, breast)
        self._bands = bands(tissue, breast, detector)

    def noise(self, y_mm: float, x_mm: float) -> float:
        """Standard deviation of the noise of one pixel there, in attenuation."""
        above = self.breast.at(self._tissue, y_mm, x_mm) - self._reference
        electronic = self.detector.electronic_share
        variance = (1 - electronic) * math.exp(above) + electronic * math.exp(2 * above)
        return math.sqrt(variance) / self.detector.signal_to_noise

    def lay(self, solid: Solid, y_mm: float, x_mm: float, gap_mm: float = 0.25) -> int | None:
        """Add a solid around a position; its index among the deposits, or None where it does not fit or show."""
        deposit = self._deposit(solid, y_mm, x_mm)
        if deposit is None or not self._fits(deposit, gap_mm):
            return None
        window = self._window(deposit)
        self.calcium[window] += deposit.added
        self.taken[window] |= deposit.mask
        self.deposits.append(deposit)
        return len(self.deposits) - 1

    def undo(self, count: int) -> None:
        """Take back all but the first `count` deposits."""
        while len(self.deposits) > count:
            deposit = self.deposits.pop()
            window = self._window(deposit)
            self.calcium[window] -= deposit.added
            self.taken[window] &= ~deposit.mask

    def put_in_cluster(self, index: int, cluster_id: int) -> None:
        """Say which cluster a deposit belongs to."""
        self.deposits[index] = replace(self.deposits[index], cluster_id=cluster_id)

    def put_in_chain(self, index: int, chain_id: int) -> None:
        """Say which chain a deposit belongs to."""
        self.deposits[index] = replace(self.deposits[index], chain_id=chain_id)

    def _window(self, deposit: Deposit) -> tuple[slice, slice]:
        rows, columns = deposit.added.shape
        return slice(deposit.top, deposit.top + rows), slice(deposit.left, deposit.left + columns)

    def _deposit(self, solid: Solid, y_mm: float, x_mm: float) -> Deposit | None:
        from scipy import ndimage

        margin = solid.half_mm + 5 * self.detector.blur_sigma_mm + 2 * self.pitch
        top, bottom = math.floor((y_mm - margin) / self.pitch), math.ceil((y_mm + margin) / self.pitch) + 1
        left, right = math.floor((x_mm - margin) / self.pitch), math.ceil((x_mm + margin) / self.pitch) + 1
        rows, columns = self.calcium.shape
        if top < 0 or left < 0 or bottom > rows or right > columns:
            return None
        fine = max(4, math.ceil(self.pitch / FINEST_MM))
        y, x = _fine_grid(top, bottom, left, right, fine, self.pitch)
        thickness = solid.projection(y - y_mm, x - x_mm)
        mean = thickness.reshape(bottom - top, fine, right - left, fine).mean(axis=(1, 3))
        if not mean.any():
            return None
        solid = _measured(solid, thickness, self.pitch / fine)
        blurred = ndimage.gaussian_filter(mean, self.detector.blur_sigma_mm / self.pitch)
        noise = self.noise(y_mm, x_mm)
        strength = visibility(blurred, y_mm / self.pitch, x_mm / self.pitch, noise, self._bands, self.pitch)
        per_mm = solid.per_mm
        if strength * per_mm < self.faintest:
            # What would be hidden is made just visible, some of it a little better than that.
            per_mm = self.faintest / strength * math.exp(self._rng.uniform(0.0, LIFT))
        if per_mm > HIGHEST_PER_MM:
            return None
        size = max(1, 2 * round(0.5 * solid.peak_window_mm / self.pitch) + 1)
        local = ndimage.maximum_filter(mean, size) if solid.peak_window_mm else mean.max()
        mass = thickness.sum()
        return Deposit(
            solid=replace(solid, per_mm=per_mm),
            row=float((thickness * y).sum() / mass) / self.pitch,
            col=float((thickness * x).sum() / mass) / self.pitch,
            contrast=float(mean.max()) * per_mm,
            cnr=float(blurred.max()) * per_mm / noise,
            detectability=strength * per_mm,
            top=top,
            left=left,
            added=mean * per_mm,
            mask=(mean > 0) & (mean >= 0.5 * local),
        )

    def _fits(self, deposit: Deposit, gap_mm: float) -> bool:
        import cv2

        window = self._window(deposit)
        if (self.breast.skin_distance_mm[window][deposit.mask] <= 0.3).any():
            return False
        gap = max(1, round(gap_mm / self.pitch))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap + 1, 2 * gap + 1))
        near = cv2.dilate(deposit.mask.astype(np.uint8), disc).astype(bool)
        return not (self.taken[window] & near).any()


def reference_attenuation(tissue: Plane, breast: Breast) -> float:
    """Attenuation in the middle of the breast, where the detector's signal-to-noise ratio is quoted."""
    deep = breast.skin_distance_mm > 0.5 * breast.skin_distance_mm.max()
    return float(np.median(tissue[deep]))


def _fine_grid(top: int, bottom: int, left: int, right: int, fine: int, pitch: float) -> tuple[Plane, Plane]:
    def centres(first: int, last: int) -> NDArray[np.float64]:
        return (first - 0.5 + (np.arange((last - first) * fine) + 0.5) / fine) * pitch

    y, x = np.meshgrid(centres(top, bottom), centres(left, right), indexing="ij")
    return y, x


def _measured(solid: Solid, thickness: Plane, step: float) -> Solid:
    """Fill in the lengths that the recipe did not state, from the outline at a fifth of the peak."""
    if None not in (solid.length_mm, solid.width_mm, solid.diameter_mm, solid.orientation_deg):
        return solid
    import cv2
    from scipy import ndimage

    filled = ndimage.binary_fill_holes(thickness > 0.2 * thickness.max())
    points = np.argwhere(filled)
    hull = cv2.convexHull(points[:, ::-1].astype(np.float32))[:, 0, :].astype(np.float64) * step
    directions = np.deg2rad(np.arange(0.0, 180.0, 2.0))
    spread = hull @ np.stack([np.cos(directions), np.sin(directions)])
    extent = spread.max(0) - spread.min(0) + step
    longest = int(extent.argmax())
    across = extent[(longest + 45) % 90]
    angle = -float(np.rad2deg(directions[longest]))
    return replace(
        solid,
        length_mm=solid.length_mm if solid.length_mm is not None else float(extent[longest]),
        width_mm=solid.width_mm if solid.width_mm is not None else float(across),
        diameter_mm=solid.diameter_mm
        if solid.diameter_mm is not None
        else 2 * math.sqrt(float(filled.sum()) / math.pi) * step,
        orientation_deg=solid.orientation_deg if solid.orientation_deg is not None else folded(angle),
    )


def folded(angle_deg: float) -> float:
    """An axis' direction brought into -90 (excluded) to 90."""
    return 90.0 - (90.0 - angle_deg) % 180.0
