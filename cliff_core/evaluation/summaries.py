"""From one number per person to what a table says: means and medians, of everybody and of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cliff_core.records import Box, Camera

FAR_DEG = 15.0
"""From this angle off the optical axis on, a person is far from the centre."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One measure over one group of people.

    Attributes:
        people: how many of the group have a value.
        mean, median: NaN if none has.
    """

    people: int
    mean: float
    median: float

    @classmethod
    def of(cls, values: np.ndarray) -> Summary:
        """Of (N,) numbers; NaN is left out."""
        known = np.asarray(values, dtype=np.float64)
        known = known[np.isfinite(known)]
        if not len(known):
            return cls(0, float("nan"), float("nan"))
        return cls(len(known), float(known.mean()), float(np.median(known)))


def off_axis_deg(boxes: Sequence[Box], cameras: Sequence[Camera]) -> np.ndarray:
    """(N,) degrees between the optical axis and the ray through each box's centre."""
    offset = [
        np.linalg.norm(box.centre_px - camera.centre_px) / camera.focal_length_px
        for box, camera in zip(boxes, cameras, strict=True)
    ]
    return np.degrees(np.arctan(offset))


def frame_groups(off_axis: np.ndarray, whole: np.ndarray) -> dict[str, np.ndarray]:
    """The groups that the open benchmark reports, as (N,) masks.

    Args:
        off_axis: (N,) degrees of `off_axis_deg`.
        whole: (N,) bool whole body within the frame.
    """
    whole = np.asarray(whole, dtype=bool)
    far = np.asarray(off_axis) >= FAR_DEG
    return {
        "all": np.ones(len(whole), dtype=bool),
        "whole body in frame": whole,
        "cut by the frame": ~whole,
        f"less than {FAR_DEG:g} deg off axis": ~far,
        f"{FAR_DEG:g} deg off axis or more": far,
    }


def summarise(scores: Mapping[str, np.ndarray], groups: Mapping[str, np.ndarray]) -> dict[str, dict[str, Summary]]:
    """Group -> measure -> summary.

    Args:
        scores: (N,) numbers by measure.
        groups: (N,) masks by name.
    """
    return {
        group: {measure: Summary.of(values[mask]) for measure, values in scores.items()}
        for group, mask in groups.items()
    }
