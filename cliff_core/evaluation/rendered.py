"""The open benchmark with pixels: photos of people who never were, with their exact bodies, cameras and 2D points.

Frames are full photos: one to four people of the open body (neutral, male, female) on one ground, near and far, at the
frame's edges, hidden by things and by each other, under cameras of many focal lengths, from above and below. They are
made when they are asked for, each from the seed and its number alone. Poses and photos behind the people are those
that training holds out (`PoseBank`, `Backgrounds`), and the seeds are none of training's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from cliff_core.body import load_body
from cliff_core.body.files import GENDERS
from cliff_core.evaluation.frames import RenderedFrame, RenderedPerson, frame_name, from_jpeg, load_frame, save_frame
from cliff_core.evaluation.props import sample_props
from cliff_core.evaluation.scenery import draw_scenery
from cliff_core.evaluation.staging import Actor, Stage, sample_stage
from cliff_core.evaluation.visibility import flesh_depths, point_visibility, tight_box, visible_mask
from cliff_core.geometry.camera import project
from cliff_core.records import Keypoints, PhotoPerson, Provenance
from cliff_core.rendering.rasteriser import Canvas, Viewport, vertex_normals
from cliff_core.resources import resource_path
from cliff_core.skeletons import COCO17, COCO23
from cliff_core.synthetic.appearance import Backgrounds, Wardrobe, add_occluders, degrade, light
from cliff_core.synthetic.poses import PoseBank

VERSION = 1
"""Changes whenever the same seed would give other frames."""

_STREAM = 0xBE7C4  # first word of every seed here; training's begin with the run's own small seed
_SUPERSAMPLING = 2
_SILHOUETTE_SCALE = 0.5
_CUT_OUT_SHARE = 0.2  # of frames: something close to the lens, with no place on the ground
_LEAST_VISIBLE = 0.35  # of the silhouette within the frame; who shows less is in the picture but does not count
_LEAST_BOX_PX = 40.0
_LEAST_POINTS = 8  # of COCO-17 within the frame
_JPEG_QUALITY = 93


class RenderedBenchmark:
    """Frames by number, made on demand.

    Args:
        seed: another one is another benchmark.
        poses: npz of poses (`PoseBank`), of which the held-out ones are shown; the bundled clips by default.
        backgrounds: folder of photos without people, of which the held-out ones are used; drawn scenes by default.
        cache: folder in which frames are kept; nothing is written without it.

    Attributes:
        key: names this very set of frames.

    Raises:
        TrainingError: a file without held-out poses.
        ImageError: the folder of backgrounds is not there.
    """

    def __init__(
        self, seed: int = 0, poses: Path | None = None, backgrounds: Path | None = None, cache: Path | None = None
    ):
        self.seed = seed
        self.poses = PoseBank(poses, heldout=True)
        self.backgrounds = Backgrounds(backgrounds, heldout=True)
        self.bodies = {gender: load_body(gender=gender) for gender in GENDERS}
        self._wardrobes = {gender: Wardrobe(body) for gender, body in self.bodies.items()}
        self._flesh = {gender: flesh_depths(body) for gender, body in self.bodies.items()}
        self.key = _key(seed, poses, self.backgrounds)
        self._cache = None if cache is None else cache / f"rendered-{self.key}"

    def frame(self, index: int) -> RenderedFrame:
        """One frame with at least one person who counts; the same for the same seed and number, on its own."""
        kept = None if self._cache is None else self._cache / f"{index:05d}.npz"
        if kept is not None and kept.exists():
            return load_frame(kept)
        rng = np.random.default_rng([_STREAM, VERSION, self.seed, index])
        while True:
            stage = sample_stage(rng, self.poses, self.bodies)
            rgb, people = self._shoot(rng, stage, index)
            if people:
                break
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].ravel()
        frame = RenderedFrame(index, from_jpeg(jpeg), stage.camera, people)
        if kept is not None:
            save_frame(kept, frame, jpeg)
        return frame

    def frames(self, people: int, progress: Callable[[int, int, str], None] | None = None) -> Iterator[RenderedFrame]:
        """Frame after frame until there are so many people; the last frame may be left with fewer than it has.

        Args:
            people: how many in all.
            progress: told (people so far, people, what) after each frame.
        """
        found, index = 0, 0
        while found < people:
            frame = self.frame(index)
            if found + len(frame.people) > people:
                frame = RenderedFrame(index, frame.rgb, frame.camera, frame.people[: people - found])
            found, index = found + len(frame.people), index + 1
            yield frame
            if progress is not None:
                progress(found, people, "rendered people")

    def _shoot(self, rng, stage: Stage, index: int) -> tuple[np.ndarray, tuple[RenderedPerson, ...]]:
        """The photo of a stage, and the people who count in it."""
        props = sample_props(rng, stage)
        lamps = int(rng.integers(2**32))  # everybody stands in the same light
        view = Viewport.of_camera(stage.camera)
        canvas = Canvas(view.scaled(_SUPERSAMPLING))
        meshes, silhouettes = [], []
        for actor in stage.actors:
            body = self.bodies[actor.params.gender]
            outfit = self._wardrobes[actor.params.gender].outfit(rng)
            normals = vertex_normals(actor.vertices, body.faces)
            shade = light(normals, np.random.default_rng(lamps), actor.vertices)
            clothed = actor.vertices + normals * outfit.thickness_m[:, None]
            canvas.draw(clothed, body.faces, outfit.vertex_rgb * shade)
            meshes.append((clothed, body.faces))
            silhouettes.append(_silhouette_px(view, clothed, body.faces))
        for prop in props:
            shade = light(prop.normals, np.random.default_rng(lamps), prop.vertices)
            canvas.draw(prop.vertices, prop.faces, prop.rgb * shade)
            meshes.append((prop.vertices, prop.faces))
        clean = canvas.over(draw_scenery(rng, stage, self.backgrounds, meshes))
        picture = clean
        if rng.random() < _CUT_OUT_SHARE:
            victim = canvas.label == 1 + rng.integers(len(stage.actors))
            picture = add_occluders(rng, clean, self.backgrounds, victim[::_SUPERSAMPLING, ::_SUPERSAMPLING])
        covered = _changed(clean, picture)
        people = tuple(
            person
            for number, actor in enumerate(stage.actors)
            if (person := self._describe(stage, actor, number, index, canvas, covered, silhouettes[number])) is not None
        )
        return degrade(rng, picture), people

    def _describe(
        self,
        stage: Stage,
        actor: Actor,
        number: int,
        index: int,
        canvas: Canvas,
        covered: np.ndarray,
        silhouette: float,
    ) -> RenderedPerson | None:
        """What is known of a person; `None` for those of whom too little can be seen."""
        camera, label = stage.camera, 1 + number
        mask = visible_mask(canvas, label, covered)
        box, area = tight_box(mask, _SUPERSAMPLING), mask.sum() / _SUPERSAMPLING**2
        if box is None or max(box.width, box.height) < _LEAST_BOX_PX or area < _LEAST_VISIBLE * silhouette:
            return None
        pixels = project(actor.points[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]
        visibility = point_visibility(actor.points, pixels, self._flesh[actor.params.gender], canvas, label, covered)
        if (visibility[: len(COCO17)] > 0).sum() < _LEAST_POINTS:
            return None
        split = len(COCO23)
        points = Keypoints.uniform("coco23", pixels[:split], visibility[:split], source=Provenance.IMPORTED)
        joints = Keypoints.uniform("smpl24", pixels[split:], visibility[split:], source=Provenance.IMPORTED)
        person = PhotoPerson(frame_name(index), camera.image_size_px, box, points, camera, 10 * index + number)
        share = min(1.0, area / max(silhouette, 1.0))
        return RenderedPerson(person, joints, actor.params, float(share), float(area))


def _silhouette_px(view: Viewport, vertices, faces) -> float:
    """How many pixels of the frame a body would show if nothing were in front."""
    alone = Canvas(view.scaled(_SILHOUETTE_SCALE))
    alone.draw(vertices, faces, np.zeros_like(vertices))
    return float(np.count_nonzero(alone.label)) / _SILHOUETTE_SCALE**2


def _changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W) bool where something was put in front; single pixels that happened to have its colour included."""
    if before is after:
        return np.zeros(before.shape[:2], bool)
    changed = (before != after).any(-1).astype(np.uint8)
    return cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0


def _key(seed: int, poses: Path | None, backgrounds: Backgrounds) -> str:
    """Names a set of frames: version, seed, content of the poses, number of the backgrounds."""
    content = (poses or resource_path("poses", "pybullet.npz")).read_bytes()
    digest = hashlib.sha256(content)
    digest.update(f"{VERSION} {seed} {len(backgrounds)}".encode())
    return digest.hexdigest()[:12]
