"""The report of a refinement: one HTML file with everything in it, to look at or to send to a colleague."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from annotator.console import Progress
from annotator.project.filesystem import write_whole
from annotator.refine_pictures import Changed, jpeg_of, write_pictures
from annotator.refine_result import verdict_of
from cliff_core.body import Body
from cliff_core.rendering.curves import Curve, Plot, line_charts
from cliff_core.training.finetune import Finetuned

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem; color: #1d2127 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
img { max-width: 100%; height: auto; display: block; margin: .5rem 0 1.5rem; border-radius: 4px }
.charts { display: flex; flex-wrap: wrap; gap: 1rem }
.charts img { width: calc(50% - .5rem); min-width: 420px; margin: 0 }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1.2rem .2rem 0; vertical-align: top }
td:last-child { font-variant-numeric: tabular-nums } .quiet { color: #667 }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e4e6ea } .quiet { color: #99a } }
"""


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
        charts = "".join(_picture(jpeg_of(line_charts([plot])), plot.title) for plot in _plots(rounds))
        parts += ["<h2>How it went</h2>", f"<div class=charts>{charts}</div>"]
    if changed:
        parts.append("<h2>Whose body changes most</h2>")
    shown, problems = write_pictures(path.parent, changed, body, progress)
    for each, picture in shown:
        text = f"{each.name}: joints move by {each.moved_mm:.0f} mm"
        text += "" if each.suspicion_mm is None else f", expected error {each.suspicion_mm:.0f} mm"
        parts += [f"<p>{escape(text)}</p>", _picture(picture, each.name)]
    parts += [f"<p class=quiet>{escape(problem)}</p>" for problem in problems]
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


def _plots(rounds: Sequence[Finetuned]) -> list[Plot]:
    """Of each round, how far points are and how far the network went."""
    plots = []
    for number, each in enumerate(rounds, 1):
        epochs = [epoch.number for epoch in each.choosing]
        lines = [Curve("supervising", epochs, [100 * epoch.fitted for epoch in each.choosing])]
        held = [(epoch.number, 100 * epoch.withheld) for epoch in each.choosing if epoch.withheld is not None]
        if held:
            lines.append(Curve("withheld", [x for x, _ in held], [y for _, y in held]))
        chosen, of_round = [(each.chosen_epochs, "chosen")], f", round {number}" if len(rounds) > 1 else ""
        plots.append(Plot(f"2D error, % of half a crop{of_round}", "epoch", lines, chosen))
        away = Curve("turned", epochs, [epoch.prior_deg for epoch in each.choosing])
        plots.append(Plot(f"Joints turned away from the prior, degrees{of_round}", "epoch", [away], chosen))
    return plots


def _picture(jpeg: bytes, what: str) -> str:
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="{escape(what, quote=True)}" src="data:image/jpeg;base64,{data}">'
