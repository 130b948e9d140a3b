"""A handful of people to polish, as a process is given them: what it needs to know, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cliff_core.body import load_body
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.polish import PolishCase, PolishSettings, polish

NUMBERS = 72 + 10 + 3


def skeleton_of(body: Path | None = None) -> Skeleton:
    """The skeleton of a body file, of the bundled one by default."""
    return Skeleton(load_body(body))


def costs_of(skeleton: Skeleton, cases: Sequence[PolishCase], settings: PolishSettings) -> np.ndarray:
    """(n,) how well all that is known of n people goes together once they are polished, nats; lower is better."""
    return np.array([each.after for each in polish(skeleton, cases, settings)])


def polish_some(skeleton: Skeleton, cases: Sequence[PolishCase], settings: PolishSettings) -> np.ndarray:
    """(n, 85) polished pose, shape and place of n people."""
    bodies = [each.params for each in polish(skeleton, cases, settings)]
    return np.array([np.concatenate([each.pose_rotvec.ravel(), each.betas, each.transl]) for each in bodies])
