"""The report of a refinement: one HTML file with everything in it, to look at or to send to a colleague."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from annotator.console import Progress
from annotator.project.filesystem import write_whole
from annotator.refine_result import ChangePicture, verdict_of, write_changes
from cliff_core.body import Body
from cliff_core.errors import CliffError
from cliff_core.evaluation.scores import posed_vertices
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import read_image
from cliff_core.records import Camera, Keypoints, SmplParams
from cliff_core.rendering.curves import Curve, Plot, line_charts
from cliff_core.rendering.sheets import before_after
from cliff_core.training.finetune import Finetuned

_JPEG_QUALITY = 88
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem; color: #1d2127 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
img { max-width: 100%; height: auto; display: block; margin: .5rem 0 1.5rem; border-radius: 4px }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1.2rem .2rem 0; vertical-align: top }
td:last-child { font-variant-numeric: tabular-nums } .quiet { color: #667 }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e4e6ea } .quiet { color: #99a } }
"""


@dataclass(frozen=True, slots=True)
class Changed:
    """Somebody to show before and after.

    Attributes:
        file: the photo.
        name: headline.
        before, after: the bodies.
        camera: of the photo.
        keypoints: their 2D points, if any.
        moved_mm: how far tuning moved the joints on average, between two predictions.
        suspicion_mm: what the guard expects the error to be.
    """

    file: Path
    name: str
    before: SmplParams
    after: SmplParams
    camera: Camera
    keypoints: Keypoints | None
    moved_mm: float
    suspicion_mm: float


def write_report(
    path: Path,
    said: Mapping[str, Any],
    rounds: Sequence[Finetuned],
    changed: Sequence[Changed],
    body: Body,
    progress: Progress,
) -> None:
    """Write the report of a refinement.

    Args:
        path: of the HTML file.
        said: the summary.
        rounds: of fine-tuning, for the curves.
        changed: whom to show.
        body: of the bodies.
        progress: told picture by picture.
    """
    parts = [f"<h1>{escape(_headline(said))}</h1>", _table(said)]
    if rounds:
        parts += ["<h2>How it went</h2>", _picture(_jpeg(_curves(rounds)), "curves of the tuning")]
    if changed:
        parts.append("<h2>Whose body changes most</h2>")
    shown: list[tuple[ChangePicture, bytes]] = []
    ways_mm = [_way_mm(body, each) for each in changed]
    for number, place in enumerate(sorted(range(len(changed)), key=lambda place: -ways_mm[place]), 1):
        each, way_mm = changed[place], ways_mm[place]
        progress(number, len(changed), "drawing the report")
        try:
            picture = _jpeg(_before_after(each, body))
        except CliffError as problem:
            parts.append(f"<p class=quiet>{escape(str(problem))}</p>")
            continue
        shown.append((ChangePicture(f"{number:02}.jpg", each.name, way_mm, each.suspicion_mm), picture))
        text = f"{each.name}: joints move by {way_mm:.0f} mm, expected error {each.suspicion_mm:.0f} mm"
        parts += [f"<p>{escape(text)}</p>", _picture(picture, each.name)]
    write_changes(path, shown)
    if said["kept_because"]:
        lines = "".join(f"<li>{escape(line)}</li>" for line in said["kept_because"])
        parts.append(f"<h2>Who stays as they are</h2><ul>{lines}</ul>")
    if said["refused"]:
        lines = "".join(f"<li>{escape(line)}</li>" for line in said["refused"])
        parts.append(f"<h2>Left out</h2><ul>{lines}</ul>")
    html = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Refinement</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body>{''.join(parts)}</body></html>\n"
    )
    write_whole(path, html.encode("utf-8"))


def _headline(said: Mapping[str, Any]) -> str:
    if not said["rounds"]:
        return f"{said['people']} people predicted again; nobody has points that a person placed, to learn from"
    return f"{said['people']} people refined: on points that were withheld it is {verdict_of(said)}"


def _table(said: Mapping[str, Any]) -> str:
    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.2f} % of half a crop"

    edits = f"{said['edited_joints']} joints, {said['edited_betas']} shape numbers, {said['edited_places']} places"
    epochs = ", ".join(str(each["epochs"]) for each in said["rounds"]) or "-"
    gain, error = said["withheld_gain"], said["withheld_gain_error"]
    nearer = "-" if gain is None else f"{100 * gain:.1f} %"
    if error is not None:  # of one person there is none
        nearer += f", standard error over people {100 * error:.1f} %"
    before, after = said["asked_before_mm"], said["asked_after_mm"]
    asked = "-" if before is None else f"{before:.0f} mm; after the lesson {after:.0f} mm"
    rows = [
        ("People, on photos", f"{said['people']}, on {said['photos']}"),
        ("People who supervise", str(said["supervising"])),
        ("2D points, of these placed by people or files", f"{said['points']}, {said['labelled_points']}"),
        ("Bodies edited by people", edits),
        ("Epochs, each round", epochs),
        ("Withheld points before", percent(said["withheld_before"])),
        ("Withheld points after", percent(said["withheld_after"])),
        ("Withheld points nearer by, person by person", nearer),
        ("People whose withheld points came nearer", f"{said['withheld_nearer']} of {said['withheld_people']}"),
        ("People without points, taught by the others", str(said["taught"])),
        ("What a photo alone says, off the bodies of people asked", asked),
        ("Bodies that change, that stay", f"{said['refined']}, {said['kept']}"),
        ("Joints moved, median", "-" if said["moved_mm"] is None else f"{said['moved_mm']:.0f} mm"),
        ("Expected error, median", "-" if said["suspicion_mm"] is None else f"{said['suspicion_mm']:.0f} mm"),
    ]
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _curves(rounds: Sequence[Finetuned]) -> np.ndarray:
    plots = []
    for number, each in enumerate(rounds, 1):
        epochs = [epoch.number for epoch in each.choosing]
        lines = [Curve("supervising", epochs, [100 * epoch.fitted for epoch in each.choosing])]
        held = [(epoch.number, 100 * epoch.withheld) for epoch in each.choosing if epoch.withheld is not None]
        if held:
            lines.append(Curve("withheld", [x for x, _ in held], [y for _, y in held]))
        title = f"2D error, % of half a crop{f', round {number}' if len(rounds) > 1 else ''}"
        plots.append(Plot(title, "epoch", lines, [(each.chosen_epochs, "chosen")]))
    return line_charts(plots)


def _way_mm(body: Body, changed: Changed) -> float:
    """How far the joints are from those of the body that somebody has now: mean after joining the pelvises, mm."""
    joints = []
    for params in (changed.before, changed.after):
        places, _ = body.forward_kinematics(rotvec_to_rotmat(params.pose_rotvec), params.betas)
        joints.append(places - places[0])
    return float(1000 * np.linalg.norm(joints[1] - joints[0], axis=1).mean())


def _before_after(changed: Changed, body: Body) -> np.ndarray:
    before, after = ([posed_vertices(body, params)] for params in (changed.before, changed.after))
    points = [] if changed.keypoints is None else [changed.keypoints]
    photo = read_image(changed.file)
    return before_after(photo, before, after, body.faces, changed.camera, points, height_px=360)


def _jpeg(rgb: np.ndarray) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


def _picture(jpeg: bytes, what: str) -> str:
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="{escape(what, quote=True)}" src="data:image/jpeg;base64,{data}">'
