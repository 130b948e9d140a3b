"""What a refinement says when it is over: whether it helped, whether to apply it, and pictures of whom it changes most.

Each person's withheld points are measured before and after, so that people who are hard anyway cancel out. The mean of
these differences has a standard error; a difference within two of them is what other people, drawn at random, might
have given without any change.

The pictures are those of the report, once more as files beside it, with `changes.json` to say who they show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotator.project.filesystem import write_whole

BETTER, SAME, WORSE, UNKNOWN = "better", "about the same", "worse", "unknown"

_ERRORS = 2.0  # standard errors that are needed
_NEARER = 0.2  # share by which bodies must lie nearer to placed points to be worth taking for that alone
_FEWEST = 3  # people; of fewer the spread is not known


def withheld_gain(before: np.ndarray, after: np.ndarray) -> dict[str, float | None]:
    """How much nearer withheld points lie, for the summary of a refinement.

    Args:
        before, after: (N,) each person's mean error, crop units; NaN for people without withheld points.

    Returns:
        "withheld_gain", the mean of the differences as a share of the mean error before, and "withheld_gain_error", its
        standard error over people; `None` where nobody, or too few, have withheld points.
    """
    gain, error = _gain(before, after)
    return {"withheld_gain": gain, "withheld_gain_error": error}


def placed_gain(now: np.ndarray, new: np.ndarray) -> dict[str, float | None]:
    """How much nearer the new bodies lie to the points that were placed than those in the project, for the summary.

    Bodies may be older than the points; then a network that is the same as before still has better ones for them.

    Args:
        now, new: (N,) each person's mean error, crop units; NaN for people without placed points or without a body.

    Returns:
        "placed_now" and "placed_new", means over people, "placed_gain" and its standard error "placed_gain_error".
    """
    gain, error = _gain(now, new)
    known = np.isfinite(now) & np.isfinite(new)
    means = [round(float(each[known].mean()), 6) if known.any() else None for each in (now, new)]
    return {"placed_now": means[0], "placed_new": means[1], "placed_gain": gain, "placed_gain_error": error}


def _gain(before: np.ndarray, after: np.ndarray) -> tuple[float | None, float | None]:
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    held = np.isfinite(before) & np.isfinite(after)
    differences, mean = before[held] - after[held], before[held].mean() if held.any() else 0.0
    if not mean > 0:
        return None, None
    gain = round(float(differences.mean() / mean), 6)
    if len(differences) < _FEWEST:
        return gain, None
    return gain, round(float(differences.std(ddof=1) / np.sqrt(len(differences)) / mean), 6)


def verdict_of(said: Mapping[str, Any]) -> str:
    """`BETTER`, `SAME`, `WORSE`, or `UNKNOWN`, from the summary of a refinement."""
    gain, error = said.get("withheld_gain"), said.get("withheld_gain_error")
    if gain is None or error is None:
        return UNKNOWN
    if abs(gain) <= _ERRORS * error:
        return SAME
    return BETTER if gain > 0 else WORSE


def is_nearer(said: Mapping[str, Any]) -> bool:
    """Whether the new bodies lie clearly nearer to the placed points than those in the project."""
    gain, error = said.get("placed_gain"), said.get("placed_gain_error")
    return gain is not None and gain > max(_NEARER, _ERRORS * (error or 0.0))


def is_worth_applying(said: Mapping[str, Any]) -> bool:
    """Whether to suggest it: the network got better, or it did not get worse and its bodies know the points of now."""
    verdict = verdict_of(said)
    return verdict == BETTER or (verdict != WORSE and is_nearer(said))


_PICTURES, _LIST = "changes", "changes.json"


@dataclass(frozen=True, slots=True)
class ChangePicture:
    """Somebody before and after.

    Attributes:
        file: name of the picture.
        name: the photo and the person.
        moved_mm: how far the joints move on average, from the body of before to the one of after.
        suspicion_mm: what the guard expects the error to be; `None` while it tunes.
    """

    file: str
    name: str
    moved_mm: float
    suspicion_mm: float | None


def write_changes(folder: Path, pictures: Sequence[tuple[ChangePicture, bytes]]) -> None:
    """Write pictures of a refinement.

    Args:
        folder: of the job.
        pictures: who is shown, and the picture as JPEG.
    """
    folder = folder / _PICTURES
    folder.mkdir(exist_ok=True)
    for shown, jpeg in pictures:
        write_whole(folder / shown.file, jpeg)
    listed = json.dumps([asdict(shown) for shown, _ in pictures], ensure_ascii=False, indent=1)
    write_whole(folder / _LIST, listed.encode("utf-8"))


def read_changes(folder: Path) -> list[tuple[ChangePicture, Path]]:
    """Who is shown, and the picture's file; nothing for reports of before there were pictures beside them."""
    folder = folder / _PICTURES
    try:
        listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        return [(ChangePicture(**each), folder / each["file"]) for each in listed]
    except (OSError, ValueError, TypeError, KeyError):  # it is a help, and never in the way
        return []
