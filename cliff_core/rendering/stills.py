"""Presentation stills of a body through OpenGL: soft light, a floor and its shadow, from the front and the side.

For exports and reports, never while dragging: a still takes a tenth of a second, and pyrender, which draws it, needs
an OpenGL driver (on Linux EGL, without a screen). It is imported when the first still is asked for. OpenGL contexts
belong to the thread that made them, so ask for stills from one thread of a process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import numpy as np

from cliff_core.errors import GeometryError, ResourceError
from cliff_core.rendering.theme import BACKGROUND, GRID_PX

_COLOUR = (0x9C, 0xC4, 0xE4)
_FLOOR_COLOUR = (0x31, 0x33, 0x36)
_YAW_DEG = {"front": 0.0, "side": 90.0, "back": 180.0}
_FIELD_OF_VIEW = np.radians(24.0)  # a portrait lens: little perspective
_ELEVATION = np.radians(7.0)
_FILL = 0.86

# Towards each light in the view's axes (x right, y up, z to the eye), its colour and its strength.
_LIGHTS = (
    ((0.55, 0.9, 0.75), (1.0, 0.97, 0.92), 3.0),  # key; casts the shadow
    ((-0.9, 0.25, 0.7), (0.85, 0.92, 1.0), 1.1),  # fill
    ((-0.3, 0.6, -1.0), (1.0, 1.0, 1.0), 1.8),  # rim
)
_AMBIENT = 0.16


def render_still(
    vertices_cam: np.ndarray,
    faces: np.ndarray,
    direction: str = "front",
    size_px: tuple[int, int] = (640, 960),
    colour: Sequence[float] = _COLOUR,
) -> np.ndarray:
    """A still of one body, filling the picture.

    Args:
        vertices_cam: (V, 3) camera frame, metres (y down).
        faces: (F, 3).
        direction: "front" (as the photo's camera looks), "side" (the photo's camera is on the left) or "back".
        size_px: width, height.
        colour: RGB 0..255 of the body.

    Returns:
        (H, W, 3) uint8.

    Raises:
        GeometryError: another direction, or vertices that are not finite.
        ResourceError: pyrender or an OpenGL driver is missing.
    """
    return _render(vertices_cam, faces, (direction,), size_px, colour)[0]


def front_and_side(
    vertices_cam: np.ndarray, faces: np.ndarray, height_px: int = 960, colour: Sequence[float] = _COLOUR
) -> np.ndarray:
    """Stills from the front and the side beside each other; arguments and errors as in `render_still`.

    Returns:
        (height_px, W, 3) uint8.
    """
    size = (round(height_px * 0.66 / GRID_PX) * GRID_PX, height_px)
    return np.concatenate(_render(vertices_cam, faces, ("front", "side"), size, colour), axis=1)


def _render(vertices_cam, faces, directions, size_px, colour):
    for direction in directions:
        if direction not in _YAW_DEG:
            raise GeometryError(f"no still from {direction!r}; choose front, side or back")
    vertices = np.asarray(vertices_cam, np.float64)
    if not np.isfinite(vertices).all():
        raise GeometryError("the body has vertices that are not finite; predict or fit it again")
    pyrender, trimesh = _load_pyrender()
    try:
        renderer = pyrender.OffscreenRenderer(*size_px)
    except Exception as error:  # whatever the driver raises: no EGL, no display, no memory
        raise ResourceError(
            f"stills need OpenGL, and no context could be opened ({type(error).__name__}: {error}); "
            "install a driver (Debian: libegl1 libgl1-mesa-dri) or export overlays instead"
        ) from error
    try:
        stills = []
        for direction in directions:
            turned = _upright(vertices, np.radians(_YAW_DEG[direction]))
            rgb, _ = renderer.render(_scene(pyrender, trimesh, turned, np.asarray(faces), size_px, colour))
            stills.append(np.ascontiguousarray(rgb[..., :3]))
        return stills
    finally:
        renderer.delete()


def _scene(pyrender, trimesh, vertices, faces, size_px, colour):
    """Body, floor, the body's shadow on it, lights and camera; meshes are bound to one renderer, so made anew."""
    scene = pyrender.Scene(bg_color=np.array(BACKGROUND) / 255.0, ambient_light=np.full(3, _AMBIENT))

    def add(mesh, rgb, roughness):
        base = np.append((np.asarray(rgb, float) / 255.0) ** 2.2, 1.0)  # pyrender takes linear light
        material = pyrender.MetallicRoughnessMaterial(
            baseColorFactor=base, metallicFactor=0.0, roughnessFactor=roughness, doubleSided=True
        )
        scene.add(pyrender.Mesh.from_trimesh(mesh, material=material))

    add(trimesh.Trimesh(vertices, faces, process=False), colour, 0.55)
    ground, reach = float(vertices[:, 1].min()), float(np.abs(vertices).max())
    ring = np.linspace(0, 2 * np.pi, 97)[:-1]
    disc = np.stack([6 * reach * np.cos(ring), np.full(96, ground - 0.004), 6 * reach * np.sin(ring)], axis=1)
    fan = np.stack([np.zeros(94, int), np.arange(2, 96), np.arange(1, 95)], axis=1)
    add(_flat(trimesh, disc, fan), _FLOOR_COLOUR, 0.95)
    # A shadow map would ripple on the skin and take seconds without a graphics card; the body pressed flat along the
    # key light is the same shadow on a flat floor.
    towards = np.array(_LIGHTS[0][0])
    shadow = vertices - (vertices[:, 1:2] - ground + 0.002) / towards[1] * towards
    add(_flat(trimesh, shadow, faces), np.array(_FLOOR_COLOUR) * 0.62, 0.95)
    for towards, tint, strength in _LIGHTS:
        # Arrays and floats only: pyrender drops lists and integers without a word and leaves the mesh unlit.
        lamp = pyrender.DirectionalLight(color=np.array(tint), intensity=float(strength))
        scene.add(lamp, pose=_look(towards, (0, 0, 0)))
    scene.add(pyrender.PerspectiveCamera(yfov=_FIELD_OF_VIEW), pose=_eye(vertices, size_px))
    return scene


def _flat(trimesh, vertices, faces):
    upward = np.tile((0.0, 1.0, 0.0), (len(vertices), 1))
    return trimesh.Trimesh(vertices, faces, vertex_normals=upward, process=False)


def _load_pyrender():
    """The one place that imports pyrender."""
    if sys.platform.startswith("linux"):
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # PyOpenGL reads it once, at its first import
    if not hasattr(np, "infty"):
        np.infty = np.inf  # pyrender 0.1.45 was written for NumPy 1
    try:
        import pyrender
        import trimesh
    except ImportError as error:
        raise ResourceError(
            f"stills need pyrender, which cannot be imported ({error}); pip install pyrender"
        ) from error
    return pyrender, trimesh


def _upright(vertices, yaw):
    """From the photo's camera frame to y up, x right, z to the eye, turned, with the body's middle at the origin."""
    vertices = vertices * (1.0, -1.0, -1.0)
    vertices = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    cos, sin = np.cos(yaw), np.sin(yaw)
    return vertices @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]).T


def _look(backward, position):
    """Pose whose z axis points along `backward`, as lights and cameras of OpenGL look along -z."""
    z = np.asarray(backward, float) / np.linalg.norm(backward)
    x = np.cross((0.0, 1.0, 0.0) if abs(z[1]) < 0.99 else (0.0, 0.0, 1.0), z)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = x, np.cross(z, x), z, position
    return pose


def _eye(vertices, size_px):
    """The nearest camera pose from which every vertex is in the picture."""
    towards = np.array([0.0, np.sin(_ELEVATION), np.cos(_ELEVATION)])
    pose = _look(towards, (0, 0, 0))
    seen = vertices @ pose[:3, :3]
    half = np.tan(_FIELD_OF_VIEW / 2) * np.array([size_px[0] / size_px[1], 1.0]) * _FILL
    distance = (np.abs(seen[:, :2]) / half + seen[:, 2:]).max()
    pose[:3, 3] = towards * distance
    return pose
