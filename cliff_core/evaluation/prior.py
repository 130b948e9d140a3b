"""What a model predicts for the people of the open benchmark, from each kind of input that it takes."""

from __future__ import annotations

import numpy as np
import torch

from cliff_core.detection.keypoints import KeypointDetector
from cliff_core.evaluation.frames import RenderedFrame
from cliff_core.evaluation.points_only import POINT_ROWS, PointsOnly
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.inference import Predictor
from cliff_core.records import Estimate, Keypoints, SmplParams

IMAGE = "image alone"
DETECTED = "image and detected points"
COCO = "image and true COCO-17 in the frame"
SMPL = "image and true SMPL-24 in the frame"

_BATCH = 256


def predict_frame(
    predictor: Predictor, detector: KeypointDetector | None, frame: RenderedFrame
) -> dict[str, list[Estimate]]:
    """The people of one frame, from their true boxes and camera, by what the model is given beside them.

    Args:
        predictor: of the model and the body.
        detector: finds points; left out without one.
        frame: of `RenderedBenchmark`.

    Returns:
        `IMAGE`, and of `DETECTED`, `COCO` and `SMPL` what the model takes -> one estimate per person.
    """
    model = predictor.model
    crops = predictor.crops(frame.rgb, frame.boxes, None, frame.camera)
    bodies = {IMAGE: predictor.estimates(crops)}
    if not getattr(model, "takes_keypoints", False):
        return bodies
    if detector is not None:
        bodies[DETECTED] = predictor.estimates(crops.with_keypoints(detector.detect(frame.rgb, frame.boxes)))
    true = [_coco17(each.points) for each in frame.people]
    bodies[COCO] = predictor.estimates(crops.with_keypoints(true, placed_error=0))
    bodies[SMPL] = predictor.estimates(crops.with_keypoints([each.joints for each in frame.people], placed_error=0))
    return bodies


@torch.inference_mode()
def predict_points_only(
    model: torch.nn.Module, people: PointsOnly, joint_set: str, inside_only: bool = True
) -> list[SmplParams]:
    """Bodies of people without pixels, by a model that can start from its mean body (`follow`, `mean_body`).

    Args:
        model: an open CLIFF.
        people: the benchmark.
        joint_set: which of their points are given: "coco17" or "smpl24".
        inside_only: only points within the photo, as somebody could mark them.
    """
    points = torch.from_numpy(people.crop_points(joint_set, inside_only))
    info = torch.from_numpy(people.bbox_info.astype(np.float32))
    rotmats, betas, cameras = [], [], []
    for start in range(0, len(people), _BATCH):
        rows = slice(start, start + _BATCH)
        mean = model.mean_body(info[rows])
        body = model.follow(points[rows], info[rows], mean, torch.zeros(len(info[rows]), 1))[-1]
        rotmats.append(body.rotmat.double().numpy())
        betas.append(body.betas.double().numpy())
        cameras.append(body.cam_crop.double().numpy())
    views = people.people.views
    transl = full_frame_translation(
        np.concatenate(cameras), views.centre_px, views.box_height_px, views.focal_length_px, views.image_size_px
    )
    regressed = zip(rotmat_to_rotvec(np.concatenate(rotmats)), np.concatenate(betas), transl, strict=True)
    return [SmplParams(*each) for each in regressed]


def _coco17(points: Keypoints) -> Keypoints:
    """The first seventeen of COCO-23."""
    kept = POINT_ROWS["coco17"]
    return Keypoints(
        "coco17", points.points_px[kept], points.visibility[kept], points.confidence[kept], points.source[kept]
    )
