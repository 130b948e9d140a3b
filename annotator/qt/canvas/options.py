"""What views show, and what a hand moves in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Style(Enum):
    """How a body is drawn."""

    SHADED = "shaded"
    WIREFRAME = "wireframe"
    OUTLINE = "outline"


class Handles(Enum):
    """What a hand takes hold of where both are near."""

    POINTS = "points"
    JOINTS = "joints"


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What is shown.

    Attributes:
        body: whether bodies are drawn.
        style: how.
        opacity: 0..1 of their surfaces.
        points, joints, boxes: whether these are drawn.
        prior: whether what was predicted is drawn as an outline beside what was edited.
        errors: whether limbs are coloured by their reprojection error.
        handles: what a hand takes hold of first.
        motion: whether the photo glides where the view jumps.
        peek: whether everything is hidden for as long as a key is held.
    """

    body: bool = True
    style: Style = Style.SHADED
    opacity: float = 0.7
    points: bool = True
    joints: bool = True
    boxes: bool = True
    prior: bool = False
    errors: bool = False
    handles: Handles = Handles.POINTS
    motion: bool = True
    peek: bool = False
