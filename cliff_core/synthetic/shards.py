"""Rendered training crops on disk: photo-like crops of synthetic people and their exact labels.

A shard is one npz written atomically; its content depends on the settings and its index alone. So shards made by
several workers, on several evenings, form one data set, and resuming means making what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO, TypeVar

import cv2
import numpy as np
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.execution.processes import end_with_parent, single_threaded_children
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.models.open_cliff import OPEN_CROP
from cliff_core.records import Camera
from cliff_core.rendering.rasteriser import Canvas, Viewport, vertex_normals
from cliff_core.synthetic.appearance import Backgrounds, Wardrobe, add_occluders, degrade, light
from cliff_core.synthetic.people import People, sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.views import Views

Piece = TypeVar("Piece")
_PEOPLE = ("pose_rotvec", "betas", "transl", "focal_length_px", "image_size_px", "centre_px", "box_height_px")
_NEIGHBOUR_SHARE = 0.2
_OCCLUDER_SHARE = 0.3
_SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """What a set of shards is made of; equal settings give equal shards.

    Attributes:
        poses: npz of poses (`PoseBank`); the bundled clips by default.
        backgrounds: folder of photos without people; procedural scenes only by default.
        heldout: held-out poses and backgrounds, for measuring.
        seed: makes another set.
        shard_size: people per shard.
    """

    poses: Path | None = None
    backgrounds: Path | None = None
    heldout: bool = False
    seed: int = 0
    shard_size: int = 500

    @property
    def key(self) -> str:
        """Short name of the set, part of its folder's name."""
        text = json.dumps({name: str(value) for name, value in asdict(self).items()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]


def shard_paths(folder: Path, settings: RenderSettings, people: int) -> list[Path]:
    """Where the shards for so many people lie, or will."""
    kind = "heldout" if settings.heldout else "train"
    shards = -(-people // settings.shard_size)
    return [folder / f"renders-{kind}-{settings.key}" / f"{index:05d}.npz" for index in range(shards)]


def render_shards(
    folder: Path,
    settings: RenderSettings,
    people: int,
    workers: int,
    progress: Callable[[int, int, str], None],
) -> list[Path]:
    """Make the shards that are missing; returns the paths of all of them.

    Args:
        folder: where the set's folder goes.
        settings: what to render.
        people: how many crops.
        workers: processes, each of which uses one core; with one, the work is done in this process.
        progress: told (done, total, what) after each shard.
    """
    paths = shard_paths(folder, settings, people)
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    done = len(paths) - len(missing)
    progress(done, len(paths), "rendering people")
    if not missing:
        return paths
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    make = partial(_make_shard, paths[0].parent, settings)
    for _ in in_processes(make, missing, workers):
        done += 1
        progress(done, len(paths), "rendering people")
    return paths


def in_processes(work: Callable[[Piece], None], pieces: Sequence[Piece], workers: int) -> Iterator[None]:
    """Work on each piece, in any order; yields after each. With one worker, it is done in this process."""
    if workers == 1 or len(pieces) < 2:
        for piece in pieces:
            work(piece)
            yield
        return
    pool = ProcessPoolExecutor(min(workers, len(pieces)), get_context("spawn"), _prepare_worker)
    with single_threaded_children(), pool:
        futures = [pool.submit(work, piece) for piece in pieces]
        yield from (future.result() for future in as_completed(futures))


def load_people(paths: Sequence[Path]) -> People:
    """All people of some shards."""
    fields: dict[str, list[np.ndarray]] = {name: [] for name in _PEOPLE}
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            for name, parts in fields.items():
                parts.append(file[name])
    arrays = {name: np.concatenate(parts) for name, parts in fields.items()}
    pose_rotvec, betas = arrays.pop("pose_rotvec"), arrays.pop("betas")
    return People(pose_rotvec, betas, Views(**arrays))


def load_crops(path: Path) -> list[np.ndarray]:
    """The (256, 256, 3) uint8 RGB crops of one shard."""
    with np.load(path, allow_pickle=False) as file:
        parts = np.split(file["jpeg"], file["jpeg_end"][:-1])
    return [cv2.cvtColor(cv2.imdecode(part, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB) for part in parts]


def _prepare_worker():
    end_with_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """A file that is there when it is complete, and not before."""
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as file:
        write(file)
    unfinished.replace(path)


def _make_shard(folder: Path, settings: RenderSettings, index: int) -> None:
    rng = np.random.default_rng([settings.seed, int(settings.heldout), index])
    studio = _studio(settings)
    people = sample_people(rng, studio.poses, studio.torch_body, settings.shard_size, OPEN_CROP.rescale)
    encoded = []
    for i in range(settings.shard_size):
        bgr = cv2.cvtColor(studio.shoot(rng, people, i), cv2.COLOR_RGB2BGR)
        encoded.append(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].ravel())
    views = people.views
    arrays = {
        "pose_rotvec": people.pose_rotvec.astype(np.float32),
        "betas": people.betas.astype(np.float32),
        "transl": views.transl,
        "focal_length_px": views.focal_length_px,
        "image_size_px": views.image_size_px,
        "centre_px": views.centre_px,
        "box_height_px": views.box_height_px,
        "jpeg": np.concatenate(encoded),
        "jpeg_end": np.cumsum([len(part) for part in encoded]),
    }
    write_whole(folder / f"{index:05d}.npz", lambda file: np.savez(file, **arrays))


@cache
def _studio(settings: RenderSettings) -> _Studio:
    """What a worker prepares once and uses for all its shards."""
    return _Studio(settings)


class _Studio:
    """Renders one person's crop, sometimes with somebody else beside, before a background."""

    def __init__(self, settings: RenderSettings):
        self.body = load_body()
        self.torch_body = TorchBody(self.body)
        self.poses = PoseBank(settings.poses, settings.heldout)
        self.wardrobe = Wardrobe(self.body)
        self.backgrounds = Backgrounds(settings.backgrounds, settings.heldout)

    def shoot(self, rng: np.random.Generator, people: People, i: int) -> np.ndarray:
        """(256, 256, 3) uint8 RGB crop of person i."""
        views, side = people.views, OPEN_CROP.height_px
        cast = [self._actor(people, i, views.transl[i])]
        if rng.random() < _NEIGHBOUR_SHARE:
            step = np.array([rng.choice([-1, 1]) * rng.uniform(0.35, 1.2), rng.normal(0, 0.1), rng.normal(0.2, 0.8)])
            cast.append(self._actor(people, int(rng.integers(len(people.betas))), views.transl[i] + step))
        scale = side / views.box_height_px[i]
        corner = views.centre_px[i] - views.box_height_px[i] / 2
        camera = Camera(float(views.focal_length_px[i]), tuple(views.image_size_px[i].astype(int).tolist()))
        (x0, y0), height_px = corner, views.box_height_px[i]
        window = Viewport.of_camera(camera).window(x0, y0, height_px, height_px, scale * _SUPERSAMPLING)
        canvas = Canvas(window)
        for vertices in cast:
            outfit = self.wardrobe.outfit(rng)
            normals = vertex_normals(vertices, self.body.faces)
            shade = light(normals, rng, vertices)
            clothed = vertices + normals * outfit.thickness_m[:, None]
            canvas.draw(clothed, self.body.faces, outfit.vertex_rgb * shade)
        picture = canvas.over(self.backgrounds.patch(rng, side, side))
        if rng.random() < _OCCLUDER_SHARE:
            mask = (canvas.label == 1)[::_SUPERSAMPLING, ::_SUPERSAMPLING]
            picture = add_occluders(rng, picture, self.backgrounds, mask)
        pixels = corner[:, None] + (np.arange(side) + 0.5) / scale  # photo x and y of the crop's columns and rows
        inside_x, inside_y = (pixels > 0) & (pixels < views.image_size_px[i][:, None])
        picture[~inside_y] = 0
        picture[:, ~inside_x] = 0
        return degrade(rng, picture, min(1.0, 1 / scale))

    def _actor(self, people: People, i: int, transl: np.ndarray) -> np.ndarray:
        posed = self.body.pose(rotvec_to_rotmat(people.pose_rotvec[i]), people.betas[i], transl)
        return posed.vertices
