"""Arrays that grow while a kernel finds out how much it has to report."""

from __future__ import annotations

import numpy as np

from mammocalc_kernels.compile import kernel


@kernel
def with_room(values, count, more):  # type: ignore[no-untyped-def]
    """The 1-D array, or a copy of more than twice its size where `more` values do not fit after `count`."""
    if count + more <= values.size:
        return values
    larger = np.empty(2 * values.size + more, values.dtype)
    larger[:count] = values[:count]
    return larger
