"""What the report and the window say of a refinement, in numbers; plain JSON, however many people there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from annotator.project import Project
from annotator.refine_cast import Cast
from annotator.refine_result import withheld_gain
from cliff_core.training.guard import UNSUPERVISED, distance_mm
from cliff_core.training.refining import RefinedPeople, lowest_withheld
from cliff_core.training.teaching import Lesson

_LISTED = 100


def summary_of(project: Project, cast: Cast, people: RefinedPeople) -> dict[str, Any]:
    """All of it but what depends on the bodies in the project."""
    assert cast.known is not None
    weight, edits = cast.known.crops.points[..., 2], cast.known.edits.of_some
    verdict, evidence = people.verdict, people.evidence
    moved = distance_mm(evidence.prior, evidence.refined)
    before = people.rounds[0].choosing[0].withheld if people.rounds else None
    after = lowest_withheld(people.rounds[-1]) if people.rounds else None
    held = np.isfinite(evidence.withheld_after)
    nearer = int((evidence.withheld_after[held] < evidence.withheld_before[held]).sum())
    kept = [row for row, why in enumerate(verdict.why) if why and why != UNSUPERVISED]
    kept_because = [
        f"{project.photo(cast.photo_ids[row]).name}, person {cast.person_ids[row]}: {verdict.why[row]}"
        for row in kept[:_LISTED]
    ]
    return {
        "people": len(cast),
        "bodiless": cast.has_body.count(False),
        "photos": len(set(cast.photo_ids)),
        "supervising": int(evidence.supervised.sum()),
        "taught": int(evidence.taught.sum()),
        **_asked(people.lesson),
        "labelled_points": cast.labelled_points,
        "points": int((weight > 0).sum()),
        "edited_joints": int(edits.rotmat_set.sum()),
        "edited_betas": int(edits.betas_set.sum()),
        "edited_places": int(edits.cam_set.sum()),
        "rounds": [
            {
                "epochs": each.chosen_epochs,
                "tuned": len(each.choosing) + len(each.final) - 2,
                "withheld": json_number(lowest_withheld(each)),
            }
            for each in people.rounds
        ],
        "withheld_before": json_number(before),
        "withheld_after": json_number(after),
        "withheld_people": int(held.sum()),
        "withheld_nearer": nearer,
        **withheld_gain(evidence.withheld_before, evidence.withheld_after),
        "refined": int(verdict.takes_refined.sum()),
        "kept": int((~verdict.takes_refined).sum()),
        "kept_because": sorted(kept_because) + _more(len(kept)),
        "moved_mm": json_number(float(np.nanmedian(moved))),
        "suspicion_mm": json_number(float(np.median(verdict.suspicion_mm))),
        "refused": listed(cast.refused),
    }


def _asked(lesson: Lesson | None) -> dict[str, float | None]:
    """How near the network came to the bodies of those who were asked what the others taught, mm."""
    before, after = (lesson.before_mm, lesson.after_mm) if lesson else (None, None)
    return {"asked_before_mm": json_number(before), "asked_after_mm": json_number(after)}


def listed(lines: Sequence[str]) -> list[str]:
    """The first lines, and how many more there are."""
    return [*lines[:_LISTED], *_more(len(lines))]


def _more(count: int) -> list[str]:
    return [f"and {count - _LISTED} more"] if count > _LISTED else []


def json_number(value: float | None) -> float | None:
    """A number as JSON has it."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
