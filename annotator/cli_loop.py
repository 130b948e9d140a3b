"""Commands of the loop on a project: each says what it does and hands over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from annotator.console import console_progress, show
from cliff_core.execution.engines import Engine

FAILED = 1

commands = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
ProjectFolder = Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.")]
Model = Annotated[Path | None, typer.Option(help="CLIFF checkpoint; the open CLIFF if not given.")]
Work = Annotated[Engine, typer.Option("--engine", help="Who works: this machine, or a cluster (extra `ray`).")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="How many share the work; what suits the machine if not given.")
]
BodyFile = Annotated[Path | None, typer.Option(help="SMPL file (.pkl, .npz); the open body if not given.")]


@commands.command()
def propose(
    project: ProjectFolder,
    everything: Annotated[
        bool, typer.Option("--all", help="Also predict anew what another model predicted and nobody has touched.")
    ] = False,
    model: Model = None,
    body: BodyFile = None,
    engine: Work = Engine.LOCAL,
    workers: Workers = None,
    as_json: AsJson = False,
):
    """Find people, their 2D points and bodies on photos that have none: step 2 of the loop. One step of undo."""
    from annotator.loop import propose_on

    with console_progress() as progress:
        report = propose_on(
            project, everything=everything, model=model, body=body, engine=engine, workers=workers, progress=progress
        )
    show(report, as_json)
    if report.saw_nothing:
        raise typer.Exit(FAILED)


@commands.command()
def refine(
    project: ProjectFolder,
    rounds: Annotated[int, typer.Option(min=1, help="At most; one that helps no more was the last.")] = 1,
    seed: Annotated[int, typer.Option(help="Every random choice follows from it.")] = 0,
    polish: Annotated[bool, typer.Option(help="At the end, also fit each body to its own points.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for a copy of report, summary and weights.")] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Apply it even where the points do not say that it is better.")
    ] = False,
    model: Model = None,
    body: BodyFile = None,
    engine: Work = Engine.LOCAL,
    workers: Workers = None,
    as_json: AsJson = False,
):
    """Fine-tune CLIFF on the project's points and edits, and predict everybody again: steps 3 and 4 of the loop."""
    from annotator.loop import refine_on

    with console_progress() as progress:
        report = refine_on(
            project,
            rounds=rounds,
            seed=seed,
            polish=polish,
            model=model,
            body=body,
            out=out,
            always=always,
            engine=engine,
            workers=workers,
            progress=progress,
        )
    show(report, as_json)


@commands.command()
def focal(
    project: ProjectFolder,
    one_camera: Annotated[
        bool, typer.Option("--one-camera", help="Photos of one folder and size are of one camera, as a video's.")
    ] = False,
    model: Model = None,
    body: BodyFile = None,
    as_json: AsJson = False,
):
    """Estimate focal lengths that nobody knows from the people on the photos, and say how sure. One step of undo."""
    from annotator.loop import estimate_focals_on

    with console_progress() as progress:
        report = estimate_focals_on(project, one_camera=one_camera, model=model, body=body, progress=progress)
    show(report, as_json)


@commands.command()
def evaluate(
    project: ProjectFolder,
    truth: Annotated[Path, typer.Option(help="CLIFF-GT file (.npz), or JSON of named 3D joints.")],
    body: Annotated[Path | None, typer.Option(help="SMPL file or folder; the open bodies if not given.")] = None,
    as_json: AsJson = False,
):
    """Measure the project's bodies against truth: MPJPE, PA-MPJPE, PVE, with their conventions named."""
    from annotator.evaluate import evaluate_project

    with console_progress() as progress:
        report = evaluate_project(project, truth, body=body, progress=progress)
    show(report, as_json)


@commands.command(name="run-answers", hidden=True)
def run_answers():
    """Answer the window's questions about people while somebody labels them, on standard input and output."""
    from annotator.answering import serve_standard_streams

    serve_standard_streams()


@commands.command(name="run-job", hidden=True)
def run_job(run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the job.")]):
    """Do the job of a run folder; what the window and the other commands start."""
    from annotator import job_process

    if not job_process.run_job(run):
        raise typer.Exit(FAILED)
