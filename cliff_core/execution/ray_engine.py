"""The same refinement on a cluster: Ray Data looks at people, Ray Train tunes on them (extra `ray`).

Ray brings processes to one or many machines and nothing else: each runs the program that a crew of this machine runs
(`training.crew.refine_folder`), so the result is that of so many local workers. All machines must see the project's
folder under the same path, and have the program installed. Without a cluster (`RAY_ADDRESS`) Ray starts one here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cliff_core.errors import CliffError, TrainingError
from cliff_core.images import read_image
from cliff_core.records import Box, Camera

Progress = Callable[[int, int, str], None]

_AT_ONCE = 8
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
            "install it with `pip install cliff-annotator[ray]`, or leave the option away"
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


class Looker:
    """What each of Ray Data's workers does: features of the people on photos.

    Args:
        files: "model" and "body"; `None`: the bundled ones.
    """

    def __init__(self, files: Mapping[str, str | None]):
        from cliff_core.body import load_body
        from cliff_core.inference import Predictor
        from cliff_core.models import load_cliff

        torch.set_num_threads(1)
        self._predictor = Predictor(load_cliff(files["model"]), load_body(files["body"]))

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """Keys and features; photos that cannot be read have none, and are refused by name later."""
        found: dict[str, list[Any]] = {"keys": [], "features": []}
        for text in batch["photo"]:
            photo = json.loads(text)
            camera = Camera(photo["focal"], tuple(photo["size"]), tuple(photo["centre"]))
            try:
                rgb = read_image(Path(photo["file"]))
                if (rgb.shape[1], rgb.shape[0]) != camera.image_size_px:
                    continue
                crops = self._predictor.crops(rgb, [Box(*row) for row in photo["boxes"]], None, camera)
            except CliffError:
                continue
            found["keys"].append(json.dumps(photo["keys"]))
            found["features"].append(crops.features.float().numpy().tobytes())
        return found


def look_with_ray(
    photos: Iterable[tuple[list[str], Path, list[Box], Camera]],
    files: Mapping[str, str | None],
    keep: Callable[[dict[str, np.ndarray]], None],
    workers: int,
    progress: Progress,
) -> None:
    """Features of people, computed by a cluster.

    Args:
        photos: keys, file, boxes and camera of each.
        files: "model" and "body".
        keep: takes features by key, some people at a time.
        workers: how many; 0: as many as the cluster has processors for.
        progress: told photo by photo.
    """
    ray = require_ray()
    items = [
        {
            "photo": json.dumps(
                {
                    "keys": keys,
                    "file": str(Path(file).resolve()),
                    "boxes": [each.xyxy.tolist() for each in boxes],
                    "focal": camera.focal_length_px,
                    "size": camera.image_size_px,
                    "centre": camera.centre_px.tolist(),
                }
            )
        }
        for keys, file, boxes, camera in photos
    ]
    if not items:
        return
    ray.data.DataContext.get_current().enable_progress_bars = False
    looked = ray.data.from_items(items).map_batches(
        Looker,
        fn_constructor_args=(dict(files),),
        batch_size=_AT_ONCE,
        compute=ray.data.ActorPoolStrategy(size=workers or _processors(ray)),
    )
    for done, row in enumerate(looked.iter_rows(), 1):
        keys = json.loads(row["keys"])
        features = np.frombuffer(row["features"], np.float32).reshape(len(keys), -1)
        keep(dict(zip(keys, features, strict=True)))
        progress(done, len(items), "looking at people on the cluster")


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
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise TrainingError(f"a worker of the cluster ended ({last}); resume takes the job up again") from error


def _processors(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
