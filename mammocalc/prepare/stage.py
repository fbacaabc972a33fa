"""The prepare stage, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammocalc.prepare.breast import Breast, breast_area_mm2, find_breast, skin_distance
from mammocalc.prepare.cells import Cells, make_cells
from mammocalc.prepare.density import density_curve
from mammocalc.prepare.field_border import find_field_border
from mammocalc.prepare.foreign import find_long_edges, find_small_objects
from mammocalc.prepare.nipple import find_nipple
from mammocalc.prepare.noise import NoiseCurve, make_stabiliser, noise_curve, noise_samples
from mammocalc.prepare.parameters import PrepareParameters
from mammocalc.prepare.pectoral import find_pectoral
from mammocalc.prepare.scene import Anatomy, Scene
from mammocalc.read.mammogram import Mammogram

DEFAULTS = PrepareParameters()


def prepare(mammogram: Mammogram, parameters: PrepareParameters = DEFAULTS, threads: int = 1) -> Scene:
    """Find the anatomy and give the image unit noise, with bright = dense.

    Parameters
    ----------
    mammogram : Mammogram
        Stored pixels, either polarity.
    parameters : PrepareParameters
        Settings of this stage.
    threads : int
        Bands of rows worked on at once; the result does not depend on it.

    Returns
    -------
    Scene
        The breast's bounding box as float32 plane, and what lies where on it.

    Raises
    ------
    NoBreastFound
        The image holds nothing that looks like a breast.

    Notes
    -----
    The noise curve is estimated as by [1]_ and made constant by the transform of [2]_; the pectoral muscle is looked
    for along lines, after [3]_.

    References
    ----------
    .. [1] Bria A., Marrocco C., Mordang J.-J., Karssemeijer N., Molinara M., Tortorella F. (2016). LUT-QNE:
       look-up-table quantum noise equalization in digital mammograms. IWDM 2016, doi 10.1007/978-3-319-41546-8_4.
    .. [2] Bartlett M. S. (1947). The use of transformations. Biometrics 3, 39-52, doi 10.2307/3001536.
    .. [3] Karssemeijer N. (1998). Automated classification of parenchymal patterns in mammograms. Phys Med Biol 43,
       365-378, doi 10.1088/0031-9155/43/2/011.
    """
    from mammocalc_kernels.compile import run_each
    from mammocalc_kernels.lookup import look_up

    cells = make_cells(mammogram, parameters.cell_mm, threads)
    breast = find_breast(cells, mammogram.laterality, parameters, threads)
    nothing = np.zeros_like(breast.mask)
    pectoral = find_pectoral(cells, breast, mammogram.view) if parameters.find_pectoral else nothing
    searches: list[Callable[[], Any]] = [
        lambda: find_long_edges(cells, breast, pectoral) if parameters.find_foreign else nothing,
        lambda: find_small_objects(mammogram, cells, breast) if parameters.find_foreign else nothing,
        lambda: skin_distance(cells, breast),
        lambda: find_field_border(mammogram, cells, breast) if parameters.find_foreign else nothing,
    ]
    edges, objects, skin, border = run_each(lambda search: search(), searches, threads)
    foreign = edges | objects | border
    inside = breast.mask & ~foreign & (skin > 1.5) & cells.valid
    lowest, highest = int(cells.darkest.min()), int(cells.brightest.max())
    top = cells.top
    stored_range = (lowest, highest) if mammogram.dense_is_bright else (top - highest, top - lowest)
    grey_range = _grey_range(cells, breast, mammogram)

    samples = noise_samples(
        mammogram,
        inside if inside.any() else breast.mask,
        cells.step,
        stored_range,
        parameters.noise_samples,
        threads,
    )

    def curve_and_stabiliser() -> tuple[NoiseCurve, NDArray[np.float32]]:
        curve = noise_curve(mammogram, samples, top)
        return curve, make_stabiliser(curve, top, mammogram.dense_is_bright, grey_range[0])

    # Neither can be shared out.
    last: list[Callable[[], Any]] = [
        curve_and_stabiliser,
        lambda: find_nipple(cells, breast, pectoral, mammogram.view),
    ]
    (curve, stabiliser), nipple = run_each(lambda step: step(), last, threads)
    window = _bounding_box(breast.mask, cells.step, mammogram.pixels.shape)
    density_plane, density = density_curve(mammogram, stabiliser, grey_range, lowest, highest)
    stored = curve.level if mammogram.dense_is_bright else top - curve.level
    order = np.argsort(stored, kind="stable")
    return Scene(
        plane=look_up(mammogram.pixels, stabiliser, window, threads),
        origin=(window[0], window[1]),
        pixel_spacing_mm=mammogram.pixel_spacing_mm,
        anatomy=Anatomy(
            step=cells.step,
            breast=breast.mask,
            pectoral=pectoral,
            foreign=foreign,
            skin_distance_mm=skin,
            nipple=nipple,
            chest_wall=breast.chest_wall,
            breast_area_mm2=breast_area_mm2(cells, breast.mask),
        ),
        stabiliser=stabiliser,
        density_plane=density_plane,
        density=density,
        noise_level=stored[order],
        noise_sigma=curve.sigma[order],
    )


def _bounding_box(mask: NDArray[np.bool_], step: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """row_min, col_min, row_max, col_max of a mask of cells, half open, stored pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        int(rows[0]) * step,
        int(columns[0]) * step,
        min((int(rows[-1]) + 1) * step, shape[0]),
        min((int(columns[-1]) + 1) * step, shape[1]),
    )


def _grey_range(cells: Cells, breast: Breast, mammogram: Mammogram) -> tuple[float, float]:
    """Dense-order grey levels of the breast's 1 and 99 % quantiles."""
    low, high = breast.density_range
    if mammogram.linear_in_exposure:
        return cells.top - float(np.exp(-low)), cells.top - float(np.exp(-high))
    return low, high
