"""What the photo list shows, and how that is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.project.queries import Show, View
from annotator.worklist import INSIDE, SUSPICION

CRITERIA = (SUSPICION, INSIDE)
"""Measures by which the list can be sorted, the worst first."""


@dataclass(frozen=True, slots=True)
class Browsing:
    """Filter and order of the photo list.

    Attributes:
        view: which photos.
        worst_first: by a measure instead of by name; only photos with somebody unfinished who has one.
        criterion: which measure, of `CRITERIA`.
    """

    view: View = field(default_factory=View)
    worst_first: bool = False
    criterion: str = SUSPICION

    @classmethod
    def of_place(cls, place: Mapping[str, Any]) -> Browsing:
        """As it was remembered; everything by name where nothing was."""
        try:
            show = Show(place.get("show", "all"))
        except ValueError:
            show = Show.ALL
        criterion = place.get("criterion")
        known = criterion if criterion in CRITERIA else SUSPICION
        return cls(View(show), bool(place.get("worst_first", False)), known)
