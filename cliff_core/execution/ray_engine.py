"""The same refinement on a cluster: Ray Data looks at people, Ray Train tunes on them (extra `ray`).

Ray brings processes to one or many machines and nothing else: each runs the program that a crew of this machine runs
(`training.crew.refine_folder`), so the result is that of so many local workers. All machines must see the project's
folder under the same path, and have the program installed. Without a cluster (`RAY_ADDRESS`) Ray starts one here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from cliff_core.errors import CliffError, TrainingError
from cliff_core.execution.streams import in_handfuls
from cliff_core.images import read_image
from cliff_core.records import Box, Camera

Progress = Callable[[int, int, str], None]
Piece = TypeVar("Piece")
Result = TypeVar("Result")

_WINDOW = 4000  # pieces that Ray holds
_PACKAGES = Path(__file__).resolve().parents[2]


def require_ray() -> Any:
    """Ray, started.

    Raises:
        TrainingError: it is not installed, or no cluster answers.
    """
    try:
        import ray
        import ray.data
        import ray.train.torch
    except ImportError as error:
        raise TrainingError(
            f"--engine ray needs Ray, which is not installed ({error}); "
            'install it with `pip install --editable ".[ray]"` in the program\'s folder, or leave the option away'
        ) from error
    if not ray.is_initialized():
        paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {"PYTHONPATH": os.pathsep.join(paths), "RAY_TRAIN_V2_ENABLED": "1"}
        os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
        try:
            ray.init(
                address=os.environ.get("RAY_ADDRESS"),
                include_dashboard=False,
                log_to_driver=False,
                runtime_env={"env_vars": environment},
            )
        except Exception as error:
            raise TrainingError(f"no Ray cluster ({error}); check RAY_ADDRESS, or leave --engine ray away") from error
    return ray


@dataclass(frozen=True, slots=True)
class Photo:
    """People on a photo who are to be looked at.

    Attributes:
        keys: what names each one's features.
        file: the photo.
        boxes: theirs.
        camera: of the photo.
    """

    keys: list[str]
    file: Path
    boxes: list[Box]
    camera: Camera


class Looker:
    """What looks at people: their features, by key; a photo that cannot be read has none, and is refused later.

    Args:
        files: "model" and "body"; `None`: the bundled ones.
    """

    def __init__(self, files: Mapping[str, str | None]):
        from cliff_core.body import load_body
        from cliff_core.inference import Predictor
        from cliff_core.models import load_cliff

        self._predictor = Predictor(load_cliff(files["model"]), load_body(files["body"]))

    def __call__(self, photo: Photo) -> dict[str, np.ndarray]:
        """Of one photo."""
        try:
            rgb = read_image(photo.file)
            if (rgb.shape[1], rgb.shape[0]) != photo.camera.image_size_px:
                return {}
            crops = self._predictor.crops(rgb, photo.boxes, None, photo.camera)
        except CliffError:
            return {}
        return dict(zip(photo.keys, crops.features.float().numpy(), strict=True))


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Keeps Ray Data from taking apart what it carries."""

    content: Any


class _Worker:
    def __init__(self, make: Callable[..., Callable[[Any], Any]], arguments: Sequence[Any]):
        torch.set_num_threads(1)
        self._work = make(*arguments)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[_Parcel]]:
        return {"parcel": [_Parcel(self._work(parcel.content)) for parcel in batch["parcel"]]}


def map_with_ray(
    make: Callable[..., Callable[[Piece], Result]], arguments: Sequence[Any], pieces: Iterable[Piece], workers: int
) -> Iterator[Result]:
    """Results for pieces, computed by Ray Data's workers, as they come.

    Args:
        make: makes what turns a piece into its result, once in each worker.
        arguments: of it.
        pieces: as many as there are; some thousand are held at a time.
        workers: how many; 0: as many as the cluster has processors for.

    Raises:
        TrainingError: Ray is not there, or a worker ended too early.
    """
    ray = require_ray()
    ray.data.DataContext.get_current().enable_progress_bars = False
    for window in in_handfuls(pieces, _WINDOW, math.inf, lambda _: 1.0):
        size = min(len(window), workers or _processors(ray))
        gpus = float(ray.cluster_resources().get("GPU", 0.0))
        computed = ray.data.from_items([{"parcel": _Parcel(piece)} for piece in window]).map_batches(
            _Worker,
            fn_constructor_args=(make, tuple(arguments)),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=size),
            # without a share of one, Ray hides the GPUs from its workers
            num_gpus=min(1.0, math.floor(100 * gpus / size) / 100) or None,
        )
        try:
            for row in computed.iter_rows():
                yield row["parcel"].content
        except ray.exceptions.RayError as error:
            raise TrainingError(_said(error)) from error


def look_with_ray(
    photos: Iterable[Photo],
    files: Mapping[str, str | None],
    keep: Callable[[dict[str, np.ndarray]], None],
    workers: int,
    progress: Progress,
) -> None:
    """Features of people, computed by a cluster.

    Args:
        photos: whom to look at.
        files: "model" and "body".
        keep: takes features by key, some people at a time.
        workers: how many; 0: as many as the cluster has processors for.
        progress: told photo by photo.
    """
    for done, features in enumerate(map_with_ray(Looker, (dict(files),), photos, workers), 1):
        keep(features)
        progress(done, 0, "looking at people on the cluster")


def train_with_ray(work: Callable[[Mapping[str, str]], None], folder: Path, workers: int) -> None:
    """Run a program in each of Ray's workers, with torch's process group there.

    Args:
        work: the program; is given the name of the folder.
        folder: of its task, seen by all machines under this path.
        workers: how many; 0: as many as the cluster has processors for.

    Raises:
        TrainingError: a worker ended too early.
    """
    ray = require_ray()
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    trainer = TorchTrainer(
        work,
        train_loop_config={"folder": str(folder.resolve())},
        scaling_config=ScalingConfig(num_workers=workers or _processors(ray), use_gpu=False),
        torch_config=TorchConfig(backend="gloo"),
        run_config=RunConfig(
            name="refine", storage_path=str((folder / "ray").resolve()), failure_config=FailureConfig(max_failures=0)
        ),
    )
    try:
        trainer.fit()
    except Exception as error:
        raise TrainingError(_said(error)) from error


def _said(error: BaseException) -> str:
    last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return f"a worker of the cluster ended ({last}); resume takes the job up again"


def _processors(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
