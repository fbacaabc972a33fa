"""The peer that the whole pipeline is raced against: what a careful engineer assembles from pydicom, OpenCV and NumPy.

    python benchmarks/peer_pipeline.py IMAGE.dcm --threads 1 --repeat 5

Read, breast, noise equalisation, a difference-of-Gaussians scale space, a local threshold, components, features and a
handful of rules, with no kernel of its own. Tuned by hand: Gaussians are cascaded (each scale is blurred from the one
before), planes are reused, everything runs inside the breast's bounding box, and shapes come from contours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
import pydicom

SCALES_PX = (1.2, 1.7, 2.4, 3.4, 4.8, 6.8)
WINDOW_MM = 5.0
DEVIATIONS = 3.5


def read(path):
    """Stored pixels, spacing in mm, and whether bright means dense."""
    dataset = pydicom.dcmread(path)
    spacing = float(dataset.get("ImagerPixelSpacing", dataset.get("PixelSpacing", [0.07, 0.07]))[0])
    return dataset.pixel_array, spacing, dataset.PhotometricInterpretation == "MONOCHROME2"


def breast(pixels, bright):
    """Bounding box and mask of the largest bright component of a reduced image."""
    small = cv2.resize(pixels, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    grey = cv2.normalize(small, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    grey = cv2.GaussianBlur(grey if bright else 255 - grey, (0, 0), 1.0)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((grey > level * 0.5).astype(np.uint8))
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    mask = (labels == largest).astype(np.uint8)
    mask = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    left, top, width, height = (int(v) * 16 for v in stats[largest, :4])
    box = slice(top, min(top + height, pixels.shape[0])), slice(left, min(left + width, pixels.shape[1]))
    shape = box[0].stop - box[0].start, box[1].stop - box[1].start
    part = mask[top // 16 : (top + height) // 16, left // 16 : (left + width) // 16]
    return box, cv2.resize(part, shape[::-1], interpolation=cv2.INTER_NEAREST)


def equalise(pixels, mask, bright):
    """Noise of unit variance by a look-up table: variance fitted as a straight line in grey level."""
    values = pixels[::4, ::4]
    inside = mask[::4, ::4] > 0
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    residue = np.abs(cv2.filter2D(pixels[::2, ::2].astype(np.float32), -1, kernel)[::2, ::2])[inside]
    values = values[inside]
    order = np.argsort(values, kind="stable")
    bins = np.array_split(order, 32)
    level = np.array([np.median(values[part]) for part in bins])
    deviation = np.array([1.4826 * np.median(residue[part]) for part in bins])
    slope, offset = np.polyfit(level, deviation**2, 1)
    table = np.cumsum(1 / np.sqrt(np.maximum(slope * np.arange(16384.0) + offset, 1))).astype(np.float32)
    return np.take(table if bright else table[-1] - table, pixels, mode="clip")


def strongest_response(plane):
    """Maximum over scales of sigma-normalised differences of Gaussians, blurring each scale from the one before."""
    fine = cv2.GaussianBlur(plane, (0, 0), SCALES_PX[0])
    coarse, difference, strongest = np.empty_like(plane), np.empty_like(plane), None
    for before, after in itertools.pairwise(SCALES_PX):
        cv2.GaussianBlur(fine, (0, 0), float(np.sqrt(after**2 - before**2)), dst=coarse)
        cv2.addWeighted(fine, before, coarse, -before, 0, dst=difference)
        strongest = difference.copy() if strongest is None else cv2.max(strongest, difference, dst=strongest)
        fine, coarse = coarse, fine
    return strongest


def local_threshold(response, mask, spacing):
    """Above mean plus a number of deviations of a 5 mm window."""
    side = round(WINDOW_MM / spacing) | 1
    mean = cv2.boxFilter(response, cv2.CV_32F, (side, side))
    square = cv2.sqrBoxFilter(response, cv2.CV_32F, (side, side))
    cv2.subtract(square, cv2.multiply(mean, mean), dst=square)
    cv2.sqrt(cv2.max(square, 0, dst=square), dst=square)
    cv2.scaleAdd(square, DEVIATIONS, mean, dst=mean)
    return cv2.bitwise_and(cv2.compare(response, mean, cv2.CMP_GT), mask * np.uint8(255))


def features(binary, response):
    """One row a component: area, centroid, axes, eccentricity, perimeter, solidity, mean and peak response, box."""
    rows = []
    for contour in cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        moments = cv2.moments(contour) if len(contour) > 2 else {"m00": 0}
        area = moments["m00"]
        if not 2 <= area <= 2000:
            continue
        x, y, width, height = cv2.boundingRect(contour)
        xx, yy, xy = moments["mu20"] / area, moments["mu02"] / area, moments["mu11"] / area
        root = ((xx - yy) ** 2 + 4 * xy * xy) ** 0.5
        major, minor = (xx + yy + root) / 2, max((xx + yy - root) / 2, 1e-6)
        part = response[y : y + height, x : x + width]
        solidity = area / max(cv2.contourArea(cv2.convexHull(contour)), 1.0)
        rows.append(
            (
                *(area, moments["m10"] / area, moments["m01"] / area, 4 * major**0.5, 4 * minor**0.5),
                *((1 - min(minor / major, 1)) ** 0.5, cv2.arcLength(contour, True), solidity),
                *(cv2.mean(part)[0], float(part.max()), x, y, width, height),
            )
        )
    return np.array(rows).reshape(-1, 14)


def run(path):
    """The whole pipeline on one file: rows of features of what the rules keep, and ms a stage."""
    times, start = {}, time.perf_counter()

    def lap(stage):
        nonlocal start
        now = time.perf_counter()
        times[stage] = (now - start) * 1e3
        start = now

    pixels, spacing, bright = read(path)
    lap("read")
    box, mask = breast(pixels, bright)
    lap("breast")
    plane = equalise(pixels[box], mask, bright)
    lap("equalise")
    response = strongest_response(plane)
    lap("response")
    binary = local_threshold(response, mask, spacing)
    lap("threshold")
    table = features(binary, response)
    lap("features")
    kept = table[(table[:, 5] < 0.97) & (table[:, 7] > 0.6) & (table[:, 0] >= 4)]
    lap("rules")
    times["total"] = sum(times.values())
    return kept, times


def main():
    """Time it on one file and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(arguments.threads)
    runs = [run(arguments.path) for _ in range(arguments.repeat)]
    times = {stage: round(statistics.median(t[stage] for _, t in runs), 1) for stage in runs[0][1]}
    print(json.dumps({"kept": len(runs[0][0]), "ms": times}))


if __name__ == "__main__":
    main()
