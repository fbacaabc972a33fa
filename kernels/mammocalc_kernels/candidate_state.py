"""What one measuring pass leaves for the next, a row of numbers a candidate.

Measuring runs in passes over a few candidates at a time, each a kernel of its own: a pass compiles only what it calls,
where one kernel for all would compile everything again inside itself. Pixels of a candidate's patch lie in pools, flat
arrays shared by the candidates, from `PATCH` on.
"""

from __future__ import annotations

# Forms: nothing to measure, a compact speck or lump, an elongated one whose principal axis serves or does not.
NOTHING, COMPACT, STRAIGHT, BENT = 0, 1, 2, 3

(
    # The patch: first pixel in the pools and on the plane, rows and columns.
    PATCH,
    TOP,
    LEFT,
    TALL,
    BROAD,
    # The plane of the background, where it counts from, and the deviation of noise and texture around it.
    LEVEL,
    SLOPE_Y,
    SLOPE_X,
    CENTRE_Y,
    CENTRE_X,
    DEVIATION,
    # Peak contrast; pixels of the region at half of it, area of its lumen, vertices of its outline.
    HEIGHT,
    SOLID_AREA,
    LUMEN,
    VERTICES,
    # Moments of the outline as `outline.polygon_moments` gives them.
    POLYGON_AREA,
    POLYGON_Y,
    POLYGON_X,
    POLYGON_VAR_Y,
    POLYGON_VAR_X,
    POLYGON_COV,
    POLYGON_PERIMETER,
    SOLIDITY_TOLD,
    FORM,
    # Whether the outline is far from convex.
    HOLLOWED,
    # Samples beside the axis or around the centre, and the half width that fits start from.
    SAMPLES,
    START,
    REACH,
    # Elongated: points of the axis with its continuation, their step, where the axis itself begins and ends.
    POINTS,
    STEP,
    FIRST,
    LAST,
    # Compact: whether an ellipse stands for the outline, its axes, its angle, the longest axis its variance allows.
    SMALL,
    MAJOR,
    MINOR,
    ANGLE,
    LONGEST,
    # The profile's fit: whether there is a body, its half width, error, share of dome, height, base.
    FITTED,
    HALF,
    HALF_ERROR,
    DOME_PART,
    BODY_HEIGHT,
    BODY_BASE,
    # Whether it is hollow; contrast of the centre and of the wall, and where the wall stands.
    HOLLOW,
    CENTRE_CONTRAST,
    WALL_CONTRAST,
    WALL_AT,
    # Outermost rows and columns of the patch that the region is known not to reach.
    BORDER,
) = range(48)
SLOTS = 48
