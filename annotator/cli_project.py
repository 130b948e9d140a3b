"""Commands about projects: each says what it does and hands over."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from annotator.console import console_progress, show

FAILED = 1

commands = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
ProjectFolder = Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.")]


class Only(StrEnum):
    """Whom to export."""

    all = "all"
    done = "done"
    accepted = "accepted"


class Prefer(StrEnum):
    """Whose value counts where two people differ."""

    mine = "mine"
    theirs = "theirs"


@commands.command()
def new(
    project: ProjectFolder,
    images: Annotated[list[Path] | None, typer.Option(help="Folder of photos; may be given several times.")] = None,
    joint_set: Annotated[str, typer.Option(help="In which people place points.")] = "coco17",
    as_json: AsJson = False,
):
    """Make a project about folders of photos. The photos stay where they are and are only ever read."""
    from annotator.project_files import new_project

    with console_progress() as progress:
        report = new_project(project, images or [], joint_set=joint_set, progress=progress)
    show(report, as_json)


@commands.command(name="import")
def import_(
    project: ProjectFolder,
    file: Annotated[Path, typer.Argument(help="An annotation file, or a folder of photos.")],
    format_name: Annotated[str | None, typer.Option("--format", help="Recognised by content if not given.")] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Photos' folder or COCO JSON, for files that say too little about them.")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="SMPL file for files whose bodies need one.")] = None,
    as_json: AsJson = False,
):
    """Take people (or photos) over from a file, with a report of everything that was left out."""
    from annotator.project_files import import_into

    with console_progress() as progress:
        report = import_into(project, file, format_name=format_name, photos=photos, body=body, progress=progress)
    show(report, as_json)


@commands.command()
def export(
    project: ProjectFolder,
    format_name: Annotated[str, typer.Option("--format", help="One of those in docs/formats.md.")],
    out: Annotated[Path, typer.Option(help="The file, or the folder for formats of many files.")],
    only: Annotated[Only, typer.Option(help="The annotator's word is done, the reviewer's accepted.")] = Only.all,
    body: Annotated[Path | None, typer.Option(help="SMPL file or folder; the open bodies if not given.")] = None,
    frame: Annotated[str | None, typer.Option(help="Of meshes: camera or body.")] = None,
    as_json: AsJson = False,
):
    """Write people in a format of the field, with a manifest beside it."""
    from annotator.project_files import export_from

    with console_progress() as progress:
        report = export_from(project, format_name, out, only=only.value, body=body, frame=frame, progress=progress)
    show(report, as_json)


@commands.command()
def merge(
    project: ProjectFolder,
    others: Annotated[list[Path], typer.Argument(metavar="OTHER...", help="Copies, or folders of annotations/.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and report, write nothing.")] = False,
    prefer: Annotated[Prefer | None, typer.Option(help="Whose value counts where two people differ.")] = None,
    as_json: AsJson = False,
):
    """Join copies of a project. Where two people differ nothing is written until you say whose side counts."""
    from annotator.project_files import merge_into

    with console_progress() as progress:
        report = merge_into(
            project, others, dry_run=dry_run, prefer=None if prefer is None else prefer.value, progress=progress
        )
    show(report, as_json)
    if report.conflicts and not report.written and not dry_run:
        raise typer.Exit(FAILED)


@commands.command()
def restore(
    project: ProjectFolder,
    backup: Annotated[Path | None, typer.Option(help="Which backup; the newest good one if not given.")] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Rebuild from annotations/ instead.")] = False,
    as_json: AsJson = False,
):
    """Bring a damaged or lost database back. What is there now is kept beside it under another name."""
    if mirror and backup is not None:
        raise typer.BadParameter("--backup and --mirror are two ways; give one.")
    from annotator.project_files import restore_project

    with console_progress() as progress:
        report = restore_project(project, backup, from_mirror=mirror, progress=progress)
    show(report, as_json)


@commands.command()
def relink(
    project: ProjectFolder,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the photos are now.")],
    as_json: AsJson = False,
):
    """Find photos again whose folder has moved, by name and content."""
    from annotator.project_files import relink_project

    with console_progress() as progress:
        report = relink_project(project, folder, progress=progress)
    show(report, as_json)


@commands.command()
def mirror(
    project: ProjectFolder,
    everything: Annotated[bool, typer.Option("--all", help="Also photos that nobody has touched.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Also files that somebody else has changed.")] = False,
    as_json: AsJson = False,
):
    """Bring the JSON files in annotations/ up to date; while a person works that happens by itself."""
    from annotator.project_files import mirror_project

    show(mirror_project(project, everything=everything, replace=replace), as_json)
