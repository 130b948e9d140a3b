"""Whether a refined body is better than the one before, person by person, and how far to trust what is left.

A tighter fit of the 2D points is no proof: under a wrong camera, or with a point on the wrong limb, it makes 3D worse.
What does tell, without any truth: points that were withheld, bodies that disagree (from the photo alone, from photo and
points, refined with and without the withheld points), a shape or pose that nobody has, and how much was seen at all.
Their weights in `suspicion_mm` were fitted on rendered people, whose error is known; it reads as an expected error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_WORSE = 1.25  # withheld points this much farther off, and
_WORSE_BY = 0.02  # by so many crop units, are no chance
_STRANGE_BETA = 5.0  # standard deviations: nobody is built so
_FAR_MM = 450.0  # a refined body so far from the one before, which fits its withheld points no better, went astray


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
        astray = (moved > _FAR_MM) & ~(after < before)
    reasons = np.full(len(before), "", dtype=object)
    for is_so, reason in (
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
    """(N,) expected error of the bodies that are taken, mm; finite for everybody."""
    seen, prior = distance_mm(evidence.seen, evidence.prior), distance_mm(evidence.prior, evidence.refined)
    unsure = distance_mm(evidence.chooser, evidence.refined)
    withheld = np.where(takes_refined, evidence.withheld_after, evidence.withheld_before)
    few = 1 / (1 + evidence.weight / 6)
    terms = (
        0.25 * seen,
        0.35 * prior,
        0.5 * unsure,
        300 * np.nan_to_num(withheld, nan=float(np.nanmedian(withheld)) if np.isfinite(withheld).any() else 0.1),
        200 * np.nan_to_num(evidence.fitted, nan=0.1),
        100 * few,
        np.where(takes_refined, 0.0, 40.0),
    )
    total = np.sum([np.nan_to_num(term, nan=1e3, posinf=1e3) for term in terms], axis=0)
    return np.clip(total, 0.0, 1e4)
