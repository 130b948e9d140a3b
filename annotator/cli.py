"""Commands of the shell: each says what it does and hands over.

Exit codes: 0 done, 1 failed with one line on stderr, 2 wrong usage, 130 interrupted. Nothing heavy is imported before
a command needs it, so `--help` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from annotator import cli_campaign, cli_loop, cli_project
from annotator.console import Written, console_progress, show, show_error
from cliff_core.errors import CliffError
from cliff_core.execution.device import Precision

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="main.py",
    help="CLIFF Annotator: photos in, reviewed SMPL bodies out.",
    epilog="Without a command the window opens: main.py [PROJECT]. Every command explains itself: main.py COMMAND "
    "--help. With --debug an error shows where it arose.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Seed = Annotated[int, typer.Option(help="Every random choice follows from it.")]


@app.callback(invoke_without_command=True)
def overview(context: typer.Context):
    """CLIFF Annotator: photos in, reviewed SMPL bodies out."""
    if context.invoked_subcommand is None:
        context.exit(_open_window(None))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for results.")] = Path("out/demo"),
    photos: Annotated[Path | None, typer.Option(help="Your photos instead of the sample.")] = None,
    keypoints: Annotated[Path | None, typer.Option(help="2D keypoints of your photos, COCO JSON.")] = None,
    seed: Seed = 0,
    no_window: Annotated[bool, typer.Option("--no-window", help="Open no window (this version never does).")] = False,
    as_json: AsJson = False,
):
    """Run the whole loop: predict, fine-tune on the 2D keypoints, predict again; a table and pictures."""
    if (photos is None) != (keypoints is None):
        raise typer.BadParameter("--photos and --keypoints belong together: give both or neither.")
    from annotator.demo import run_demo

    with console_progress() as progress:
        report = run_demo(out, photos=photos, keypoints=keypoints, seed=seed, progress=progress)
    show(report, as_json)


@app.command()
def predict(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO|DIR...", help="Photos, or folders of photos.")],
    out: Annotated[Path, typer.Option(help="Folder for predictions.npz and overlays.")],
    model: Annotated[Path | None, typer.Option(help="CLIFF checkpoint; the open CLIFF if not given.")] = None,
    body: Annotated[Path | None, typer.Option(help="SMPL file (.pkl, .npz); the open body if not given.")] = None,
    boxes: Annotated[Path | None, typer.Option(help="People's boxes, COCO JSON, instead of detecting them.")] = None,
    precision: Annotated[Precision, typer.Option(help="bfloat16: twice as fast, less exact.")] = Precision.FLOAT32,
    as_json: AsJson = False,
):
    """Predict a body for every person on photos: step 2 of the loop on its own."""
    from annotator.predict import predict_photos

    with console_progress() as progress:
        report = predict_photos(
            photos, out, model=model, body=body, boxes=boxes, precision=precision, progress=progress
        )
    show(report, as_json)


@app.command()
def pretrain(
    out: Annotated[Path, typer.Option(help="Run folder; a stopped run in it is continued.")] = Path("runs/pretrain"),
    people: Annotated[int | None, typer.Option(min=1, help="Rendered people to learn seeing from.")] = None,
    fresh_people: Annotated[int | None, typer.Option(min=1, help="More of them, to learn using points from.")] = None,
    heldout_people: Annotated[int | None, typer.Option(min=1, help="Rendered people to measure on.")] = None,
    points_steps: Annotated[int | None, typer.Option(min=1, help="Steps on 2D points alone.")] = None,
    image_steps: Annotated[int | None, typer.Option(min=1, help="Steps on the image, the trunk as published.")] = None,
    trunk_steps: Annotated[int | None, typer.Option(min=1, help="Steps on the image, with the trunk.")] = None,
    both_steps: Annotated[int | None, typer.Option(min=1, help="Steps on image and points.")] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="People per step.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Rendering processes.")] = None,
    poses: Annotated[Path | None, typer.Option(help="npz of SMPL poses instead of the bundled ones.")] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Folder of photos without people.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
):
    """Train the open CLIFF on rendered people: step 1 of the loop. Takes a night on two cores."""
    from cliff_core.training.pretrain import PretrainSettings, run

    given: dict[str, Any] = {
        "people": people,
        "fresh_people": fresh_people,
        "heldout_people": heldout_people,
        "points_steps": points_steps,
        "image_steps": image_steps,
        "trunk_steps": trunk_steps,
        "both_steps": both_steps,
        "batch": batch,
        "workers": workers,
        "poses": poses,
        "backgrounds": backgrounds,
    }
    settings = PretrainSettings(out, seed=seed, **{name: value for name, value in given.items() if value is not None})
    with console_progress() as progress:
        checkpoint = run(settings, progress)
    show(Written(checkpoint), as_json)


@app.command()
def ablate(
    out: Annotated[Path, typer.Option(help="Run folder; a stopped run in it is continued.")] = Path("runs/ablate"),
    people: Annotated[int | None, typer.Option(min=1, help="Rendered people to train on.")] = None,
    heldout_people: Annotated[int | None, typer.Option(min=1, help="Rendered people to measure on.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of each training.")] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="People per step.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Every variant is trained with seeds 0, 1, ...")] = 3,
    points_only: Annotated[
        float | None, typer.Option(min=0, max=0.99, help="Share of people without 3D labels.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Rendering processes.")] = None,
    poses: Annotated[Path | None, typer.Option(help="npz of SMPL poses instead of the bundled ones.")] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Folder of photos without people.")] = None,
    as_json: AsJson = False,
):
    """Show what CLIFF's two ideas are worth: trained with and without them, measured by distance from the centre."""
    from annotator.ablate import run_ablation
    from cliff_core.training.ablation import AblationSettings

    given: dict[str, Any] = {
        "people": people,
        "heldout_people": heldout_people,
        "steps": steps,
        "batch": batch,
        "points_only_share": points_only,
        "workers": workers,
        "poses": poses,
        "backgrounds": backgrounds,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    settings = AblationSettings(out, seeds=tuple(range(seeds)), **chosen)
    with console_progress() as progress:
        report = run_ablation(settings, progress)
    show(report, as_json)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A project, a body file (.pkl, .npz), or a CLIFF checkpoint (.pt).")],
    photos: Annotated[bool, typer.Option("--photos", help="Of a project, also compare every photo's bytes.")] = False,
    as_json: AsJson = False,
):
    """Verify a project, or say what a body file or a checkpoint is. Nothing inside it is executed or changed."""
    from annotator.check import check_path

    with console_progress() as progress:
        report = check_path(file, photos=photos, progress=progress)
    show(report, as_json)
    if not getattr(report, "healthy", True):
        raise typer.Exit(FAILED)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="What to measure; `bench list` names them.")],
    real: Annotated[
        Path | None, typer.Option(help="Real photos with an index.json, for `accuracy` and `loop`.")
    ] = None,
    poses: Annotated[
        Path | None, typer.Option(help="npz of poses instead of the bundled ones, for `prior` and `loop`.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
):
    """Measure speed and accuracy, with the seed, the versions and the machine beside the numbers."""
    from annotator.bench import BenchFiles, run_benchmark

    with console_progress() as progress:
        report = run_benchmark(name, seed=seed, progress=progress, files=BenchFiles(real, poses))
    show(report, as_json)


@app.command()
def doctor(as_json: AsJson = False):
    """Say what is installed, what is missing, which models and bodies are found, and what to do."""
    from annotator.doctor import examine

    report = examine()
    show(report, as_json)
    if not report.healthy:
        raise typer.Exit(FAILED)


for _more in (cli_project, cli_loop, cli_campaign):
    app.registered_commands += _more.commands.registered_commands


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: what follows `main.py` on the command line. `--debug` may stand anywhere.

    Returns:
        The exit code.
    """
    debug = "--debug" in arguments
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name that the terminal cannot print is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    try:
        command = typer.main.get_command(app)
        given = [entry for entry in arguments if entry != "--debug"]
        if len(given) == 1 and _is_project(given[0], getattr(command, "commands", {})):
            return _open_window(Path(given[0]))
        code = command.main(given, "main.py", standalone_mode=False)
        if code == INTERRUPTED:
            show_error("interrupted; what was finished before is kept", as_json)
        return code if isinstance(code, int) else DONE
    except (KeyboardInterrupt, typer.Abort):
        show_error("interrupted; what was finished before is kept", as_json)
        return INTERRUPTED
    except Exception as problem:
        if debug:
            traceback.print_exc()
        code, message = _verdict(problem)
        show_error(message, as_json)
        return code


def _is_project(argument: str, commands: Mapping[str, object]) -> bool:
    """Whether a lone argument names a project: a folder, or one to be made, written as a path.

    A bare word that is no folder is a command with a slip in it.
    """
    if argument.startswith("-") or argument in commands:
        return False
    path = Path(argument)
    return path.is_dir() or (len(path.parts) > 1 and not path.is_file())


def _open_window(project: Path | None) -> int:
    from annotator.qt.app import run_window

    return run_window(project)


def start() -> None:
    """Entry point of the installed command `cliff-annotator`."""
    sys.exit(main(sys.argv[1:]))


def _verdict(problem: Exception) -> tuple[int, str]:
    """Exit code and the one line that a person reads."""
    if getattr(problem, "exit_code", None) == WRONG_USAGE and hasattr(problem, "format_message"):
        context = getattr(problem, "ctx", None)
        path = context.command_path if context else "main.py"
        return WRONG_USAGE, f"{problem.format_message()} See `{path} --help`."
    if isinstance(problem, UnicodeEncodeError):  # Linux allows names that are no UTF-8
        near = problem.object[max(0, problem.start - 20) : problem.end + 20]
        return FAILED, f"{near!a}: a name that is not UTF-8; rename that file or folder"
    if isinstance(problem, OSError) and problem.filename is not None:
        return FAILED, f"{problem.filename}: {problem.strerror}; look at the name, its permissions and the disk"
    if isinstance(problem, CliffError | OSError | MemoryError):
        return FAILED, str(problem) or "not enough memory; close other programs and run again"
    kind = type(problem).__name__
    return FAILED, f"unexpected {kind}: {problem}. This is a fault of the program; --debug shows where it arose."


if __name__ == "__main__":  # `python -m annotator.cli`, as jobs are started
    start()
