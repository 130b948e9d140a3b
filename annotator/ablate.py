"""`main.py ablate`: what CLIFF's two ideas are worth, as a table and two pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from annotator.console import Progress
from cliff_core.images import write_image
from cliff_core.training.ablation import CLIFF, HMR, NO_BOX, NO_FULL_FRAME, VARIANTS, AblationSettings, run
from cliff_core.training.ablation_pictures import error_bars, same_crop_figure
from cliff_core.training.ablation_scores import MEASURES, MOVED_DEG, Outcome, Spread, over_seeds, spread

_IDEAS = (("the box input", NO_BOX), ("the full-frame loss", NO_FULL_FRAME), ("both", HMR))


@dataclass(frozen=True, slots=True)
class Block:
    """One measure of all variants.

    Attributes:
        measure: name with its convention.
        errors: variant -> zone -> mean and spread over seeds.
        changes: idea -> zone -> error of CLIFF less that without the idea, between trainings with the same seed.
    """

    measure: str
    errors: dict[str, dict[str, Spread]]
    changes: dict[str, dict[str, Spread]]


@dataclass(frozen=True, slots=True)
class AblationReport:
    """What was measured and where it lies.

    Attributes:
        people: held-out people by zone: degrees between the camera's axis and the ray to the person.
        seeds: of the trainings.
        settings: of the trainings.
        blocks: the tables.
        turn_deg: variant -> turn of its answer when the very same crop is put 15 degrees right instead of left.
        rendered_turn_deg: variant -> the same of rendered people, first seed; `true_rendered_turn_deg` is the truth.
        out: folder of everything below.
        table: the tables as Markdown.
        pictures: bars, and people with the same crop.
    """

    people: dict[str, int]
    seeds: tuple[int, ...]
    settings: dict[str, str]
    blocks: tuple[Block, ...]
    turn_deg: dict[str, Spread]
    rendered_turn_deg: dict[str, float]
    true_rendered_turn_deg: float
    out: Path
    table: Path
    pictures: tuple[Path, ...]

    def __str__(self) -> str:
        names = [variant.name for variant in VARIANTS] + [f"change by {idea}" for idea, _ in _IDEAS]
        width = max(len(name) for name in names) + 2
        lines = [f"{'':{width}}" + "".join(f"{zone:>15}" for zone in self.people)]
        lines.append(f"{'held-out people':{width}}" + "".join(f"{count:>15}" for count in self.people.values()))
        for block in self.blocks:
            lines += ["", block.measure]
            for name, cells in self._rows(block):
                lines.append(f"{name:{width}}" + "".join(f"{cell:>15}" for cell in cells))
        lines += ["", *self._turns(), "", self._conditions(), "", f"table     {self.table}"]
        return "\n".join([*lines, *(f"picture   {picture}" for picture in self.pictures)])

    def markdown(self) -> str:
        """The tables for a page."""
        head = "".join(f" {zone} |" for zone in self.people)
        lines = [self._conditions(), ""]
        lines += [f"| |{head}", "|---|" + "---|" * len(self.people)]
        lines.append("| held-out people |" + "".join(f" {count} |" for count in self.people.values()))
        for block in self.blocks:
            lines.append(f"| **{block.measure}** |" + " |" * len(self.people))
            lines += [f"| {name} |" + "".join(f" {cell} |" for cell in cells) for name, cells in self._rows(block)]
        return "\n".join([*lines, "", *self._turns(), ""])

    def _rows(self, block: Block) -> list[tuple[str, list[str]]]:
        rows = [(name, [str(cell) for cell in cells.values()]) for name, cells in block.errors.items()]
        for name, cells in block.changes.items():
            rows.append((f"change by {name}", [f"{cell.mean:+.1f} ± {cell.std:.1f}" for cell in cells.values()]))
        return rows

    def _turns(self) -> list[str]:
        exact = ", ".join(f"{name} {turn}°" for name, turn in self.turn_deg.items())
        rendered = ", ".join(f"{name} {turn:.1f}°" for name, turn in self.rendered_turn_deg.items())
        return [
            f"The same crop, {MOVED_DEG:g}° right instead of left of the axis, is a turn by {2 * MOVED_DEG:g}°; "
            f"answers turn by: {exact}.",
            f"Rendered people with the same crop, turned by {self.true_rendered_turn_deg:g}° "
            f"(seed {self.seeds[0]}): {rendered}.",
        ]

    def _conditions(self) -> str:
        given = self.settings
        return (
            f"{given['people']} rendered people, {float(given['points_only_share']):.0%} of them with 2D keypoints "
            f"alone; {given['steps']} steps of {given['batch']}; mean ± standard deviation over {len(self.seeds)} seeds"
        )


def run_ablation(settings: AblationSettings, progress: Progress) -> AblationReport:
    """Train and measure HMR, CLIFF, and CLIFF without either idea; draw and write what came out.

    Args:
        settings: of the trainings; what is finished in their folder is taken from there.
        progress: told (done, total, what).

    Raises:
        TrainingError: the folder holds results of other settings, or a training diverged.
    """
    outcomes = run(settings, progress)
    progress(0, 2, "drawing")
    pictures = (settings.out / "bars.png", settings.out / "same_crop.png")
    write_image(pictures[0], error_bars(outcomes))
    progress(1, 2, "drawing")
    figure = same_crop_figure(settings, settings.seeds[0])
    write_image(pictures[1], figure.picture)
    progress(2, 2, "drawing")
    names = {variant.key: variant.name for variant in VARIANTS}
    report = AblationReport(
        people=outcomes[0].scores.people,
        seeds=settings.seeds,
        settings=settings.described(),
        blocks=tuple(_block(outcomes, key, name) for key, name in MEASURES.items()),
        turn_deg={
            name: spread([each.scores.turn_deg for each in outcomes if each.variant == key])
            for key, name in names.items()
        },
        rendered_turn_deg={names[key]: turn for key, turn in figure.turn_deg.items()},
        true_rendered_turn_deg=figure.true_turn_deg,
        out=settings.out,
        table=settings.out / "ablation.md",
        pictures=pictures,
    )
    report.table.write_text(report.markdown(), encoding="utf-8")
    numbers = {name: value for name, value in asdict(report).items() if name not in ("out", "table", "pictures")}
    (settings.out / "ablation.json").write_text(json.dumps(numbers, indent=1, ensure_ascii=False), encoding="utf-8")
    return report


def _block(outcomes: Sequence[Outcome], measure: str, name: str) -> Block:
    zones = outcomes[0].scores.people
    errors = {
        variant.name: {zone: over_seeds(outcomes, variant.key, measure, zone) for zone in zones} for variant in VARIANTS
    }
    changes = {
        idea: {zone: over_seeds(outcomes, CLIFF.key, measure, zone, without.key) for zone in zones}
        for idea, without in _IDEAS
    }
    return Block(name, errors, changes)
