"""The two pictures of an ablation: errors as bars, and people with the same crop whom only CLIFF tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cliff_core.body import load_body
from cliff_core.geometry.rotations import geodesic_deg, rotmat_to_rotvec
from cliff_core.models.open_cliff import published_trunk
from cliff_core.rendering.charts import Panel, Series, bar_charts
from cliff_core.rendering.plan_view import Answer, facing_deg, same_crop_sheet
from cliff_core.synthetic.appearance import Wardrobe
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.same_crop import SameCrop, same_crops, upright_people
from cliff_core.training.ablation import CLIFF, HMR, VARIANTS, AblationSettings, Variant, load_model
from cliff_core.training.ablation_scores import Outcome, over_seeds

ANGLE_DEG = 18.0
"""How far to the left and to the right of the camera's axis people with the same crop stand."""

CANDIDATES = 24
_COLOURS = {
    "hmr": (0xE6, 0x9F, 0x00),
    "no-box": (0xCC, 0x79, 0xA7),
    "no-full-frame": (0x00, 0x9E, 0x73),
    "cliff": (0x56, 0xB4, 0xE9),
}
_DRAWN = {"mpjpe": "MPJPE, mm", "pve": "PVE, mm"}


@dataclass(frozen=True, slots=True)
class SameCropFigure:
    """The paper's first figure with trained models.

    Attributes:
        picture: (H, W, 3) uint8.
        people: how many people were rendered at three places each; one of them is shown.
        true_turn_deg: by how much the person on the right is turned against the one on the left.
        turn_deg: variant's key -> mean over the people of what it sees of this turn.
    """

    picture: np.ndarray
    people: int
    true_turn_deg: float
    turn_deg: dict[str, float]


def error_bars(outcomes: Sequence[Outcome]) -> np.ndarray:
    """MPJPE and PVE by distance from the photo's centre, and what is gained on HMR; (H, W, 3) uint8."""
    people = outcomes[0].scores.people
    groups = [f"{zone} ({count})" for zone, count in people.items()]
    others = [variant for variant in VARIANTS if variant is not HMR]
    first = [Panel(name, groups, _series(outcomes, VARIANTS, key, None)) for key, name in _DRAWN.items()]
    second = [
        Panel(f"{name}: difference to HMR", groups, _series(outcomes, others, key, HMR)) for key, name in _DRAWN.items()
    ]
    seeds = len({each.seed for each in outcomes})
    note = (
        f"Held-out people (how many in brackets); whiskers: standard deviation over {seeds} seeds; "
        "differences: between trainings with the same seed"
    )
    return bar_charts([first, second], "Errors by angle between the person and the camera's axis", note)


def same_crop_figure(settings: AblationSettings, seed: int) -> SameCropFigure:
    """Render people with the same crop, ask the trained models, and draw the person whom both see best in the middle.

    Args:
        settings: of a finished run.
        seed: whose models to ask.

    Raises:
        TrainingError: the models are not there, or no pose stands upright.
    """
    body, rng = load_body(), np.random.default_rng([seed, 9])
    rotmats, betas = upright_people(body, PoseBank(settings.poses, heldout=True), rng, CANDIDATES)
    wardrobe, trunk = Wardrobe(body), published_trunk()
    places = (-ANGLE_DEG, 0.0, ANGLE_DEG)
    shown = [
        same_crops(body, wardrobe, *one, places, number) for number, one in enumerate(zip(rotmats, betas, strict=True))
    ]
    features = torch.stack([each.features(trunk) for each in shown])
    answers = {variant.key: _ask(settings, variant, seed, features, shown) for variant in VARIANTS}
    turns = {key: float(np.mean(_turn_deg(rotmat[:, :, 0]))) for key, (rotmat, _) in answers.items()}
    errors = [
        np.max([geodesic_deg(answers[variant.key][0][i, 1, 0], each.rotmat[1, 0]) for variant in (HMR, CLIFF)])
        for i, each in enumerate(shown)
    ]
    best = int(np.argmin(errors))
    title = f"The same crop three times, {ANGLE_DEG:g}° left of the camera's axis, on it and {ANGLE_DEG:g}° right of it"
    one = shown[best]
    drawn = [
        _answer(variant, answers[variant.key][0][best], answers[variant.key][1][best], one) for variant in (HMR, CLIFF)
    ]
    picture = same_crop_sheet(
        one.photo, list(one.crops), one.boxes_px, one.vertices, facing_deg(one.rotmat[:, 0]), drawn, body.faces, title
    )
    return SameCropFigure(picture, len(shown), 2 * ANGLE_DEG, turns)


def _series(outcomes, variants, measure, minus: Variant | None) -> list[Series]:
    series = []
    for variant in variants:
        cells = [
            over_seeds(outcomes, variant.key, measure, zone, minus.key if minus else None)
            for zone in outcomes[0].scores.people
        ]
        values, spreads = [cell.mean for cell in cells], [cell.std for cell in cells]
        series.append(Series(variant.name, _COLOURS[variant.key], values, spreads))
    return series


def _ask(settings, variant, seed, features, shown: list[SameCrop]) -> tuple[np.ndarray, np.ndarray]:
    """(P, 3, 24, 3, 3) rotations and (P, 3, 10) betas that a variant sees in P people's three crops."""
    model = load_model(settings, variant, seed)
    info = torch.as_tensor(np.stack([each.bbox_info for each in shown]), dtype=torch.float32)
    with torch.inference_mode():
        answer = variant.see(model, features.flatten(0, 1), info.flatten(0, 1))[-1]
    shape = features.shape[:2]
    return answer.rotmat.unflatten(0, shape).numpy(), answer.betas.unflatten(0, shape).numpy()


def _turn_deg(global_rotmat: np.ndarray) -> np.ndarray:
    """(P, 3, 3, 3) global rotations left, middle, right -> (P,) turn about the vertical axis from left to right."""
    between = global_rotmat[:, 2] @ np.swapaxes(global_rotmat[:, 0], 1, 2)
    return np.degrees(rotmat_to_rotvec(between)[:, 1])


def _answer(variant: Variant, rotmat: np.ndarray, betas: np.ndarray, people: SameCrop) -> Answer:
    body = load_body()
    meshes = [body.pose(*one).vertices for one in zip(rotmat.astype(np.float64), betas.astype(np.float64), strict=True)]
    # put where the true people stand: the map compares directions
    placed = np.stack([mesh - mesh.mean(0) + true.mean(0) for mesh, true in zip(meshes, people.vertices, strict=True)])
    error = geodesic_deg(rotmat[:, 0], people.rotmat[:, 0])
    return Answer(variant.name, _COLOURS[variant.key], placed, facing_deg(rotmat[:, 0]), error)
