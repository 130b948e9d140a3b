"""From where a view looks at the bodies: through the photo's camera, or from anywhere around a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotator.qt.canvas.transform import ViewTransform
from cliff_core.records import Camera
from cliff_core.rendering.rasteriser import Viewport

_NEAR_M = 1e-3
_ORBIT_DISTANCE_M = 12.0  # nearly parallel, yet nearer feet look nearer


@dataclass(frozen=True, eq=False)
class Eye:
    """A pinhole camera in the photo camera's frame, and its pixels in a view.

    Attributes:
        rotmat: (3, 3) rows: right, down and forward of the eye in the photo camera's axes.
        pivot_m: (3,) the point that lies `distance_m` in front of the eye.
        distance_m: 0 for the photo's own camera.
        focal_length_px: in pixels of the view.
        centre_px: (2,) principal point in pixels of the view.
    """

    rotmat: np.ndarray
    pivot_m: np.ndarray
    distance_m: float
    focal_length_px: float
    centre_px: tuple[float, float]

    @classmethod
    def of_photo(cls, camera: Camera, view: ViewTransform) -> Eye:
        """The photo's camera, as a view shows the photo."""
        x, y = view.to_view(camera.centre_px)
        return cls(np.eye(3), np.zeros(3), 0.0, camera.focal_length_px * view.scale, (float(x), float(y)))

    @classmethod
    def orbit(
        cls, pivot_m, azimuth_deg: float, elevation_deg: float, px_per_m: float, centre_px: tuple[float, float]
    ) -> Eye:
        """An eye around a point.

        Args:
            pivot_m: (3,) photo camera's frame.
            azimuth_deg: 0 sees as the photo's camera does, 90 has that camera on the left.
            elevation_deg: 90 looks straight down.
            px_per_m: size of a metre at the pivot.
            centre_px: where the pivot lies in the view.
        """
        turn, lift = np.radians(azimuth_deg), np.radians(elevation_deg)
        around = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        above = np.array([[1, 0, 0], [0, np.cos(lift), -np.sin(lift)], [0, np.sin(lift), np.cos(lift)]])
        return cls(
            above @ around, np.asarray(pivot_m, float), _ORBIT_DISTANCE_M, px_per_m * _ORBIT_DISTANCE_M, centre_px
        )

    def see(self, points_m: np.ndarray) -> np.ndarray:
        """(N, 3) photo camera's frame -> frame of the eye."""
        if self.distance_m == 0.0:
            return np.asarray(points_m)
        return (np.asarray(points_m, np.float64) - self.pivot_m) @ self.rotmat.T + (0.0, 0.0, self.distance_m)

    def project(self, points_m: np.ndarray) -> np.ndarray:
        """(N, 3) metres -> (N, 2) pixels of the view; NaN for what is behind the eye."""
        seen = np.asarray(self.see(points_m), np.float64)
        depth = np.where(seen[:, 2:] > _NEAR_M, seen[:, 2:], np.nan)
        return seen[:, :2] / depth * self.focal_length_px + self.centre_px

    def reach(self, x: float, y: float, beside_m: np.ndarray, nearer_m: float = 0.0) -> np.ndarray:
        """The point that a pixel of the view means, at the depth of a known point.

        Args:
            x, y: pixel of the view.
            beside_m: (3,) the known point.
            nearer_m: towards the eye from there.

        Returns:
            (3,) photo camera's frame, metres.
        """
        depth = max(float(self.see(np.asarray(beside_m)[None])[0, 2]) - nearer_m, _NEAR_M)
        seen = np.array(
            [(x - self.centre_px[0]) / self.focal_length_px, (y - self.centre_px[1]) / self.focal_length_px]
        )
        point = np.append(seen * depth, depth)
        return self.rotmat.T @ (point - (0.0, 0.0, self.distance_m)) + self.pivot_m

    def towards(self, point_m: np.ndarray) -> np.ndarray:
        """(3,) unit vector from a point to the eye."""
        from_eye = np.asarray(self.see(np.asarray(point_m, float)[None])[0], float)
        return -self.rotmat.T @ (from_eye / max(np.linalg.norm(from_eye), _NEAR_M))

    def viewport(self, size_px: tuple[int, int], ratio: float = 1.0) -> Viewport:
        """What the rasteriser needs for a view with so many device pixels per pixel."""
        centre = (self.centre_px[0] * ratio, self.centre_px[1] * ratio)
        return Viewport(self.focal_length_px * ratio, centre, size_px)
