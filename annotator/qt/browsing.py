"""What the photo list shows, and how that is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.project.queries import Show, View


@dataclass(frozen=True, slots=True)
class Browsing:
    """Filter and order of the photo list.

    Attributes:
        view: which photos.
        worst_first: by suspicion instead of by name; only photos with somebody unfinished who has one.
    """

    view: View = field(default_factory=View)
    worst_first: bool = False

    @classmethod
    def of_place(cls, place: Mapping[str, Any]) -> Browsing:
        """As it was remembered; everything by name where nothing was."""
        try:
            show = Show(place.get("show", "all"))
        except ValueError:
            show = Show.ALL
        return cls(View(show), bool(place.get("worst_first", False)))
