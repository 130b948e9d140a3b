"""Where the photo lies in a view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_SCALE, GREATEST_SCALE = 0.01, 64.0


@dataclass(frozen=True, slots=True)
class ViewTransform:
    """From pixels of the photo to pixels of a view: enlarge, then move.

    Attributes:
        scale: view pixels per photo pixel.
        x, y: where the photo's top left corner lies in the view.
    """

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    @classmethod
    def fit(cls, x0: float, y0: float, x1: float, y1: float, view_px: tuple[float, float], margin_px: float = 16.0):
        """The view that shows a rectangle of the photo as large as it goes, in the middle."""
        width, height = max(view_px[0] - 2 * margin_px, 1.0), max(view_px[1] - 2 * margin_px, 1.0)
        scale = min(width / max(x1 - x0, 1e-6), height / max(y1 - y0, 1e-6))
        scale = float(np.clip(scale, LEAST_SCALE, GREATEST_SCALE))
        return cls(scale, view_px[0] / 2 - scale * (x0 + x1) / 2, view_px[1] / 2 - scale * (y0 + y1) / 2)

    def to_view(self, points_px: np.ndarray) -> np.ndarray:
        """(..., 2) pixels of the photo -> of the view."""
        return np.asarray(points_px, np.float64) * self.scale + (self.x, self.y)

    def to_photo(self, x: float, y: float) -> tuple[float, float]:
        """A pixel of the view -> of the photo."""
        return (x - self.x) / self.scale, (y - self.y) / self.scale

    def zoomed(self, factor: float, x: float, y: float) -> ViewTransform:
        """Nearer or farther, with what is under (x, y) of the view staying there."""
        scale = float(np.clip(self.scale * factor, LEAST_SCALE, GREATEST_SCALE))
        ratio = scale / self.scale
        return ViewTransform(scale, x - (x - self.x) * ratio, y - (y - self.y) * ratio)

    def panned(self, dx: float, dy: float) -> ViewTransform:
        """Moved by so many pixels of the view."""
        return ViewTransform(self.scale, self.x + dx, self.y + dy)

    def between(self, other: ViewTransform, share: float) -> ViewTransform:
        """On the way to another view, in the way an eye expects: scales by ratio."""
        scale = self.scale * (other.scale / self.scale) ** share
        # The corner moves so that the ends are met; linear in the scale where that changes.
        way = share if other.scale == self.scale else (scale - self.scale) / (other.scale - self.scale)
        return ViewTransform(scale, self.x + (other.x - self.x) * way, self.y + (other.y - self.y) * way)

    def at_ratio(self, ratio: float) -> ViewTransform:
        """The same view on a screen with so many device pixels per pixel."""
        return ViewTransform(self.scale * ratio, self.x * ratio, self.y * ratio)
