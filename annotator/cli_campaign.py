"""Commands of campaigns: each says what it does and hands over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from annotator.console import console_progress, show

commands = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
ProjectFolder = Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.")]


@commands.command()
def worklist(
    project: ProjectFolder,
    limit: Annotated[int, typer.Option(min=1, help="How many people.")] = 20,
    annotator: Annotated[str, typer.Option("--for", help="Only what was assigned to this annotator.")] = "",
    as_json: AsJson = False,
):
    """Say whom a look is worth most, why, and what pays off now: correcting, refining, or accepting the rest."""
    from annotator.teamwork import worklist_of

    show(worklist_of(project, limit, annotator), as_json)


@commands.command()
def split(
    project: ProjectFolder,
    to: Annotated[str, typer.Option(help="Names of the annotators, with commas between.")],
    overlap: Annotated[str, typer.Option(help="Share of photos that a second one labels too: 5% or 0.05.")] = "0%",
    out: Annotated[Path | None, typer.Option(help="Folder for the copies; beside the project if not given.")] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Leave the photos where they are instead of copying them along.")
    ] = False,
    as_json: AsJson = False,
):
    """Split a project among annotators: for each a copy with their photos, to be sent and merged again."""
    from annotator.teamwork import split_into

    names = [name.strip() for name in to.split(",")]
    with console_progress() as progress:
        report = split_into(project, names, overlap=_share(overlap), out=out, reference=reference, progress=progress)
    show(report, as_json)


def _share(text: str) -> float:
    """5% or 0.05."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no share; write 5% or 0.05", param_hint="--overlap") from None
