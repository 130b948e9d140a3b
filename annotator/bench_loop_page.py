"""What `bench loop` found, as a page and three pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cliff_core.peers import contest
from cliff_core.peers.comparison import BASE, CONDITIONS, MEASURES
from cliff_core.peers.people import Condition
from cliff_core.rendering.curves import Curve, Plot, line_charts
from cliff_core.rendering.scatter import Scatter, Trail, scatter_charts

if TYPE_CHECKING:
    from annotator.bench_loop import LoopReport, Row

_TRAILS = (
    (contest.IMAGE, contest.POINTS),
    (contest.EFT, contest.EFT_POINTS),
    (contest.SMPLIFY_MEAN, contest.SMPLIFY, contest.SMPLIFY_POINTS),
    (contest.KITRO, contest.KITRO_POINTS),
    (contest.POINTS, contest.REFINED, contest.POLISHED, contest.POLISHED_GUARDED),
)
_LINES = (contest.IMAGE, contest.POINTS, contest.SMPLIFY_POINTS, contest.KITRO_POINTS, contest.POLISHED_GUARDED)
_COLUMNS = {"mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE", "pve": "PVE", "mpjae": "MPJAE", "px": "2D"}
_EXACT = CONDITIONS[0]
_SETS = {"smpl24": "SMPL-24", "coco17": "COCO-17"}

_HOW = """`python main.py bench loop`, seeds {seeds}: {people} rendered people per seed and condition ({slow_people} of
them for EFT; *first* is MPJPE over these alone, for all methods). Everybody gets the same network, body, boxes, cameras
and points. 14 SMPL joints, pelvis as root, camera frame; PVE over all vertices; MPJAE of 3dpw-eval's joints; 2D is the
error of the points that were given, in pixels of a crop 256 px high. Each number: mean over people, median over seeds,
± half the range over seeds, and in brackets the median over people. *Worse*: people whose MPJPE is more than 1 % above
the image prior's. Seconds are of one core, features not counted."""


def pictures(report: LoopReport) -> dict[str, np.ndarray]:
    """File name -> (H, W, 3) uint8; of rendered people only."""
    found = {"peers-noise.png": line_charts([_noise(report, each) for each in _SETS])}
    speed = [_scatter(report, str(each), "seconds") for each in (_EXACT, BASE) if str(each) in report.conditions]
    found["peers-speed.png"] = scatter_charts(speed, "Error against time of one core per person")
    fits = [str(replace(BASE, focal=focal)) for focal in (0.5, 1.0, 2.0)]
    fit = [_scatter(report, name, "px") for name in fits if name in report.conditions]
    found["peers-fit.png"] = scatter_charts(fit, "Error in 3D against error of the points that were given")
    return found


def _noise(report: LoopReport, joint_set: str) -> Plot:
    """MPJPE over noise of the points."""
    plain = [each for each in CONDITIONS if each == Condition(joint_set, each.noise_px)]
    known = {each.noise_px: report.conditions[str(each)] for each in plain if str(each) in report.conditions}
    curves = []
    for line in _LINES:
        there = {noise: rows[line].figures["mpjpe"].mean for noise, rows in known.items() if line in rows}
        if there:
            curves.append(Curve(line, list(there), list(there.values())))
    return Plot(f"{_SETS[joint_set]}: MPJPE, mm", "noise of the points, px at 256", curves)


def _scatter(report: LoopReport, condition: str, across: str) -> Scatter:
    rows = report.conditions[condition]

    def x_of(row: Row) -> float:
        return max(row.seconds, 1e-4) if across == "seconds" else row.figures["px"].mean

    trails = [
        Trail([(name, x_of(rows[name]), rows[name].figures["mpjpe"].mean) for name in names if name in rows])
        for names in _TRAILS
    ]
    x_name = "seconds a person" if across == "seconds" else "error of the points, px at 256"
    return Scatter(condition, x_name, "MPJPE, mm", trails, across == "seconds")


def page(report: LoopReport) -> str:
    """Markdown with every table."""
    seeds = len(report.seeds)
    lines = [
        "# Beside its peers",
        "",
        _HOW.format(seeds=", ".join(map(str, report.seeds)), people=report.people, slow_people=report.slow_people),
        "",
        "![error against time](pictures/peers-speed.png)",
        "",
        "![error over noise](pictures/peers-noise.png)",
        "",
        "![3D error against 2D error](pictures/peers-fit.png)",
    ]
    for condition, rows in {**report.conditions, **report.real}.items():
        first = condition == str(BASE)
        lines += ["", f"## {condition}", "", *_table(report, rows, first)]
    if report.teaching:
        lines += ["", "## Do the labels teach?", ""]
        lines.append(
            f"A small CLIFF (`cliff_core/peers/teaching.py`) learns from what each method says of {report.taught}"
            f" people in the base case ({BASE}), and is measured on the truth of {report.tested} others,"
            f" from the image alone; {seeds} trainings each, labels of one seed."
        )
        lines += ["", "| learnt from | MPJPE | PA-MPJPE | PVE | MPJAE |", "|---|---|---|---|---|"]
        for teacher, figures in report.teaching.items():
            cells = [str(figures[name]) for name in ("mpjpe", "pa_mpjpe", "pve", "mpjae")]
            lines.append(f"| {teacher} | " + " | ".join(cells) + " |")
    lines += ["", "## Settings", "", *(f"- {line}" for line in report.settings.splitlines())]
    return "\n".join(lines) + "\n"


def _table(report: LoopReport, rows: dict[str, Row], with_memory: bool) -> list[str]:
    memory = with_memory and bool(report.memory_mb)
    head = ["", *_COLUMNS.values(), "first", "worse", "s/person", *(["MB"] if memory else [])]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, row in rows.items():
        cells = [str(row.figures[measured]) for measured in MEASURES]
        cells += [f"{row.first.mean:.1f}", f"{row.worse:.0%}", f"{row.seconds:.4f}"]
        cells += [f"{report.memory_mb[name]:.0f}"] if memory and name in report.memory_mb else [""] if memory else []
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines
