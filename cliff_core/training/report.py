"""The run folder in pictures: curves of the whole training, and held-out people with what the model makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from cliff_core.body import load_body
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.images import write_image
from cliff_core.models.open_cliff import OpenCliff
from cliff_core.records import Camera
from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.curves import Curve, Plot, line_charts
from cliff_core.rendering.rasteriser import Viewport
from cliff_core.rendering.sheets import contact_sheet
from cliff_core.rendering.theme import person_colour
from cliff_core.synthetic.shards import load_crops, load_people
from cliff_core.synthetic.views import Views
from cliff_core.training.renders import Renders, encoded

_SHOWN = 12
_MEASURES = {
    "image": "image alone",
    "detected": "image + detector",
    "marked": "image + exact COCO-17",
    "coco17": "exact COCO-17 alone",
    "smpl24": "exact SMPL-24 alone",
}


def draw_curves(folder: Path) -> None:
    """`curves.png` from the run's log."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    starts: list[tuple[float, str]] = []
    x: list[float] = []
    offset = previous = 0
    for row in rows:
        if not starts or starts[-1][1] != row["phase"]:
            offset += previous
            starts.append((float(offset), row["phase"]))
        previous = row["step"]
        x.append(float(offset + row["step"]))

    def curves(suffix: str) -> list[Curve]:
        known = {key: [i for i, row in enumerate(rows) if f"{key}_{suffix}" in row] for key in _MEASURES}
        return [
            Curve(_MEASURES[key], [x[i] for i in at], [rows[i][f"{key}_{suffix}"] for i in at])
            for key, at in known.items()
            if at
        ]

    plots = [
        Plot("Held-out PA-MPJPE, mm (14 SMPL joints)", "steps", curves("pa_mpjpe_mm"), starts),
        Plot("Held-out MPJPE, mm (14 SMPL joints, pelvis, camera frame)", "steps", curves("mpjpe_mm"), starts),
        Plot("Training loss", "steps", [Curve("loss", x, [row["total"] for row in rows])], starts),
    ]
    write_image(folder / "curves.png", line_charts(plots, "Pretraining"))


@torch.inference_mode()
def draw_people(path: Path, model: OpenCliff, heldout: Renders) -> None:
    """Held-out crops, each with the body from the image alone and with the detector's points.

    Args:
        path: of the picture.
        model: in evaluation mode.
        heldout: single takes, with detections.
    """
    crops, views = load_crops(heldout.paths[0])[:_SHOWN], load_people(heldout.paths[:1]).views
    rows = np.arange(len(crops))
    info, features = heldout.labels.bbox_info[rows], encoded(model, heldout, rows)
    predictions = {
        "image alone": model.regress(features, info),
        "with detected points": model.regress(features, info, heldout.detected[rows]),
    }
    body, images, names = load_body(), [], []
    for i, crop in enumerate(crops):
        images.append(crop)
        names.append("crop")
        for name, (rotmat, betas, cam_crop) in predictions.items():
            place = (views.centre_px, views.box_height_px, views.focal_length_px, views.image_size_px)
            transl = full_frame_translation(cam_crop[i : i + 1].double().numpy(), *(each[i : i + 1] for each in place))
            posed = body.pose(rotmat[i].double().numpy(), betas[i].double().numpy(), transl[0])
            picture = crop.copy()
            paint_bodies(picture, [(posed.vertices, person_colour(0))], body.faces, _view(views, i, len(crop)), 0.75)
            images.append(picture)
            names.append(name)
    columns = 2 * (1 + len(predictions))
    write_image(path, contact_sheet(images, names, columns, (224, 224), "Held-out people"))


def _view(views: Views, i: int, side_px: int) -> Viewport:
    """The camera of one crop's own pixels."""
    width, height = (int(side) for side in views.image_size_px[i])
    box = float(views.box_height_px[i])
    x0, y0 = views.centre_px[i] - box / 2
    camera = Camera(float(views.focal_length_px[i]), (width, height))
    return Viewport.of_camera(camera).window(float(x0), float(y0), box, box, side_px / box)
