"""Whether a refined body is better than the one before, person by person, and how far to trust what is left.

A tighter fit of the 2D points is no proof: under a wrong camera, or with a point on the wrong limb, it makes 3D worse.
What does tell, without any truth: points that were withheld, bodies that disagree (from the photo alone, from photo and
points, refined with and without the withheld points), a shape or pose that nobody has, and how much was seen at all.
Their weights in `suspicion_mm` were fitted on rendered people, whose error is known; it reads as an expected error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNSUPERVISED = "nobody has placed a point of them"
"""Why somebody keeps the body that they have, unless they were taught: such people gain nothing and can lose."""

_WORSE = 2.0  # three withheld points are few: less than this much farther off, and
_WORSE_BY = 0.06  # less than so many crop units, is chance (on rendered people such bodies were better in 3D)
_STRANGE_BETA = 5.0  # standard deviations: nobody is built so
_UNSEEN_ERROR = 0.2  # crop units: of people without any point
_UNREFINED_MM = 25.0
_FAR_MM = 250.0  # a refined body so far from the one before, which fits its withheld points no better, went astray


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of N people after a refinement, without truth.

    Attributes:
        seen, prior, refined, chooser: (N, 24, 3) SMPL joints in metres: from the photo alone, from photo and points
            before tuning, after it, and by the copy that never saw the withheld points.
        withheld_before, withheld_after: (N,) errors of the withheld points in crop units; NaN without any.
        fitted: (N,) error of all points after refining, crop units; NaN without points.
        weight: (N,) sum of the points' weights.
        betas: (N, 10) refined.
        scale: (N,) of the refined crop camera.
        supervised: (N,) bool: who taught, by points or edits of their own.
        taught: (N,) bool: who was predicted by a network that the others had taught what photos look like.
    """

    seen: np.ndarray
    prior: np.ndarray
    refined: np.ndarray
    chooser: np.ndarray
    withheld_before: np.ndarray
    withheld_after: np.ndarray
    fitted: np.ndarray
    weight: np.ndarray
    betas: np.ndarray
    scale: np.ndarray
    supervised: np.ndarray
    taught: np.ndarray


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of N people.

    Attributes:
        takes_refined: (N,) bool: the refined body rather than the prior one.
        suspicion_mm: (N,) expected error of the body that is taken, mm; sorts people for review.
        why: N reasons for keeping the prior; empty where the refined body is taken.
    """

    takes_refined: np.ndarray
    suspicion_mm: np.ndarray
    why: tuple[str, ...]


def judge(evidence: Evidence) -> Verdict:
    """Choose between prior and refined body for everybody, and say how suspicious each is."""
    before, after = evidence.withheld_before, evidence.withheld_after
    finite = np.isfinite(evidence.refined).all((1, 2)) & np.isfinite(evidence.betas).all(1)
    with np.errstate(invalid="ignore"):
        worse = (after > _WORSE * before) & (after > before + _WORSE_BY)
        behind = ~(evidence.scale > 0)
        strange = np.abs(evidence.betas).max(1) > _STRANGE_BETA
        moved = distance_mm(evidence.prior, evidence.refined)
        astray = (moved > _FAR_MM) & ~(after < before) & ~evidence.taught
    reasons = np.full(len(before), "", dtype=object)
    for is_so, reason in (
        (~evidence.supervised & ~evidence.taught, UNSUPERVISED),
        (worse, "its withheld points lie farther off than before"),
        (strange, "no person is built so"),
        (astray, "it went far and its withheld points do not say that it is better"),
        (behind, "it stands behind the camera"),
        (~finite, "it is no body"),
    ):
        reasons[is_so] = reason
    takes = reasons == ""
    return Verdict(takes, suspicion_mm(evidence, takes), tuple(str(reason) for reason in reasons))


def distance_mm(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N,) mean distance of (N, 24, 3) joints in metres after moving both pelvises into one point."""
    rooted = (first - first[:, :1]) - (second - second[:, :1])
    return 1000 * np.linalg.norm(rooted, axis=-1).mean(1)


def suspicion_mm(evidence: Evidence, takes_refined: np.ndarray) -> np.ndarray:
    """(N,) expected error of the bodies that are taken, mm; finite for everybody.

    The weights are a non-negative least squares fit to MPJPE of 400 rendered people (`RenderedBenchmark`, seed 77) with
    a hand's points of 2 and 5 pixels of noise and with a detector's. Of eight signs tried these carry something:
    how far refining moved a body, whether the withheld points mattered, the points' error, and how few there are.
    """
    terms = (
        0.52 * distance_mm(evidence.prior, evidence.refined),
        0.14 * distance_mm(evidence.chooser, evidence.refined),
        900 * np.clip(np.nan_to_num(evidence.fitted, nan=_UNSEEN_ERROR), 0.0, 0.6),
        185 / (1 + np.clip(np.nan_to_num(evidence.weight), 0.0, None) / 6),
        np.where(takes_refined, 0.0, 20.0),
    )
    total = np.sum([np.nan_to_num(term, nan=1e3, posinf=1e3) for term in terms], axis=0)
    return np.clip(total, 0.0, 1e4)


def expected_error_mm(fitted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N,) the same before any refinement, from the error of the points in crop units and the sum of their weights."""
    error = np.clip(np.nan_to_num(fitted, nan=_UNSEEN_ERROR), 0.0, 0.6)
    return 900 * error + 185 / (1 + np.clip(np.nan_to_num(weight), 0.0, None) / 6) + _UNREFINED_MM
