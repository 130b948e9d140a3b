"""Steps 3 and 4 of the loop on a project: fine-tune on all that is known of its people, predict everybody again.

The job reads photos once for the trunk's features, which stay on disk for the next round, tunes, lets the guard choose
for each person, and leaves shards, weights, curves, a summary and a report in its run folder. Killed, it goes on from
the features and from the last epoch that it had time to note.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annotator.predict import usual_workers
from annotator.project import EditError, Prediction, Project
from annotator.quality import inside_mm_of
from annotator.refine_cast import CACHE, CACHE_BYTES, Cast, gather_cast, missing_features
from annotator.refine_pictures import LiveWall, most_changed
from annotator.refine_report import write_report
from annotator.refine_result import is_worth_applying, placed_gain
from annotator.refine_summary import json_number, listed, summary_of
from annotator.runs import CURVE, SHARD, WORK, JobError, News, RunFolder
from annotator.shards import BODILESS, Shard, ShardRow, shard_key, write_shard
from cliff_core.body import Body, load_body
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.execution.companions import Companions
from cliff_core.execution.engines import Engine
from cliff_core.execution.processes import Processes, processor_time
from cliff_core.execution.rows import Workspace
from cliff_core.execution.streams import available_cores
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.polish_some import skeleton_of
from cliff_core.geometry.camera import project as project_points
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Estimate, SmplParams
from cliff_core.training.crew import FEATURES, Crew, Networks, Task, refine_known
from cliff_core.training.finetune import Epoch, FinetuneSettings, Watch
from cliff_core.training.refine_people import KnownPeople
from cliff_core.training.refining import Bodies, RefinedPeople, rows_of, save_model

SUMMARY, REPORT, WEIGHTS = "summary.json", "report.html", "weights.pt"
_PEOPLE_PER_SHARD = 200
_POLISHED_EACH = 50  # people for whom it is worth starting another process
_HANDFUL = 16  # people whom a process looks at at a time


def refine_work(project: Project, run: RunFolder, news: News, others: Companions | None = None) -> dict[str, Any]:
    """The job "refine"; `others` are the workers beside this process, where they were started before.

    Settings: `rounds`, `seed`, `model` and `body` (files); `polish` (each body a last step nearer to its points, unless
    told not to); `detected_trust` (0..1) lets the points of people whom nobody has looked at supervise too; `engine`
    ("local" or "ray") and `workers`: how many processes share the work, with `threads` cores each, all together by
    default; `epochs`: at most so many.

    Raises:
        JobError: nobody can be refined.
    """
    settings = run.request().settings
    model, body = load_cliff(settings.get("model")), load_body(settings.get("body"))
    predictor = Predictor(model, body)
    work = run.path / WORK
    work.mkdir(exist_ok=True)
    with _tidied(work) as open_rows:
        begun, worked = time.monotonic(), time.process_time()
        with ArrayCache(run.path.parent / CACHE, CACHE_BYTES) as cache:
            _look_elsewhere(project, predictor, cache, settings, news)
            cast = gather_cast(
                project,
                predictor,
                cache,
                work / FEATURES,
                detected_trust=float(settings.get("detected_trust", 0.0)),
                workers=(workers := int(settings.get("workers") or usual_workers())),
                threads=_threads(settings, workers),
                news=news,
            )
        looked = {"looking": time.monotonic() - begun, "looking, processor": time.process_time() - worked}
        refused = listed(cast.refused)
        if news.should_stop:
            return {"complete": False, "people": 0, "refused": refused}
        if cast.known is None:
            hint = f" ({refused[0]})" if refused else ""
            raise JobError(f"{project.folder}: nobody to refine{hint}; run propose or draw boxes first")
        open_rows.append(cast.known.crops.features)
        wall = LiveWall(project, cast, body, run.path, news)
        people = _refined(cast.known, work, settings, news, wall, (model, body), others)
        open_rows += [people.prior, people.refined]
        begun, worked = time.monotonic(), processor_time()
        with _helpers(people, settings) as helpers:
            if settings.get("polish", True):
                people = _polished(body, cast, people, Workspace(work), news, helpers)
                open_rows.append(people.refined)
            news.check()
            inside_mm = _inside_mm(cast, people, helpers)
        polished = {"polishing": time.monotonic() - begun, "polishing, processor": processor_time() - worked}
        said = summary_of(project, cast, people)
        said |= placed_gain(*_misses(project, body, cast, people))
        said["better"] = is_worth_applying(said)
        said["spent"] = {name: round(value, 3) for name, value in {**looked, **people.seconds, **polished}.items()}
        if people.model is not None:
            said["weights"] = save_model(people.model, run.path / WEIGHTS, f"{model.name}-refined")
        said["model"] = f"{model.name}-refined" if people.model is not None else model.name
        _write_shards(run, news, cast, people, inside_mm, said, settings)
        content = json.dumps(said, ensure_ascii=False, indent=1)
        (run.path / SUMMARY).write_text(content, encoding="utf-8")
        write_report(run.path / REPORT, said, people.rounds, list(most_changed(project, cast, people)), body, news)
    return {**said, "report": str(run.path / REPORT), "complete": run.wants() != "stop"}


def _threads(settings: Mapping[str, Any], workers: int) -> int:
    """Cores for each worker."""
    return int(settings.get("threads") or max(1, available_cores() // workers))


@contextmanager
def _tidied(work: Path) -> Iterator[list[Any]]:
    """Close what is put into the list and clear the folder away; where something went wrong, only its rows.

    Rows are made anew from the cache; how far it was is what a second start needs.
    """
    open_rows: list[Any] = []
    went_well = False
    try:
        yield open_rows
        went_well = True
    finally:
        for rows in open_rows:
            rows.close()
        for path in work.glob("*.rows"):
            with suppress(OSError):
                path.unlink()
        if went_well:
            shutil.rmtree(work, ignore_errors=True)


def _look_elsewhere(
    project: Project, predictor: Predictor, cache: ArrayCache, settings: Mapping[str, Any], news: News
) -> None:
    """Let a cluster look at people first, where there is one: what it finds lies in the cache."""
    if settings.get("engine") == Engine.RAY:
        from cliff_core.execution.ray_engine import look_with_ray

        missing = missing_features(project, predictor, cache)
        files = {name: settings.get(name) for name in ("model", "body")}
        look_with_ray(missing, files, cache.put, int(settings.get("workers") or 0), news)


def _refined(
    known: KnownPeople,
    work: Path,
    settings: Mapping[str, Any],
    news: News,
    wall: LiveWall,
    networks: Networks,
    others: Companions | None,
) -> RefinedPeople:
    """Everybody tuned and predicted again, by this process, by several of this machine, or by a cluster."""

    def curve(stage: str, epoch: Epoch) -> None:
        values = {"fitted": epoch.fitted, "withheld": epoch.withheld, "prior_deg": epoch.prior_deg}
        news.tell(CURVE, stage=stage, epoch=epoch.number, **{key: json_number(value) for key, value in values.items()})

    watch = Watch(curve, lambda: news.should_stop, wall)
    workers = int(settings.get("workers") or 0)
    tuning = FinetuneSettings(seed=int(settings.get("seed", 0)), min_points=1)
    if settings.get("epochs"):
        tuning = replace(tuning, epochs=int(settings["epochs"]))
    threads = _threads(settings, workers) if workers else 0
    task = Task(settings.get("model"), settings.get("body"), tuning, int(settings.get("rounds", 1)), threads)
    if settings.get("engine") == Engine.RAY:
        from cliff_core.training.ray_refining import refine_with_ray

        task.save(work, known)
        return refine_with_ray(work, known, task, workers, news, watch)
    if workers > 1:
        task.save(work, known)
    with Crew(work, max(1, workers), others) as crew:
        return refine_known(known, task, crew.team, Workspace(work, token=known.token), news, watch, networks)


def _helpers(people: RefinedPeople, settings: Mapping[str, Any]) -> Processes[Skeleton]:
    """The processes that share what there is to do with bodies; this one alone where there is little."""
    cores = int(settings.get("workers") or available_cores()) if settings.get("polish", True) else 1
    size = min(cores, max(1, int(people.verdict.takes_refined.sum()) // _POLISHED_EACH))
    return Processes(size, partial(skeleton_of, settings.get("body")))


def _polished(
    body: Body, cast: Cast, people: RefinedPeople, work: Workspace, news: News, helpers: Processes[Skeleton]
) -> RefinedPeople:
    """The bodies that are taken, each a last step nearer to its points; some hundred in memory at a time."""
    from cliff_core.training.polishing import polish_people

    assert cast.known is not None
    assert isinstance(people.refined, Bodies)
    crops, edits, takes = cast.known.crops, cast.edits, people.verdict.takes_refined
    weight = cast.known.weight
    total = int(takes.sum())

    def polish(some: slice, estimates: list[Estimate]) -> list[Estimate]:
        rows, before = np.flatnonzero(takes[some]).tolist(), int(takes[: some.start].sum())
        these = rows_of(crops, range(some.start, some.stop))

        def progress(done: int, _: int, text: str) -> None:
            news(before + done, total, text)

        return polish_people(
            body, these, weight[some], estimates, edits[some], rows, progress, lambda: news.should_stop, helpers, work
        )

    return replace(people, refined=people.refined.changed(work, "polished", polish))


def _inside_mm(cast: Cast, people: RefinedPeople, helpers: Processes[Skeleton]) -> dict[int, float]:
    """How deep new bodies are inside themselves, mm, by row; nothing of people who get none."""
    looked_at: list[int] = []

    def handfuls() -> Iterator[list[SmplParams]]:
        for start in range(0, len(cast), _HANDFUL):
            rows = range(start, min(start + _HANDFUL, len(cast)))
            new = {row: each.params for row in rows for each in _new_body(cast, people, row) if each.params is not None}
            looked_at.extend(new)
            yield list(new.values())

    with closing(helpers.map(inside_mm_of, handfuls())) as results:
        depths = [depth for some in results for depth in some]
    return dict(zip(looked_at, depths, strict=True))


def _misses(project: Project, body: Body, cast: Cast, people: RefinedPeople) -> tuple[np.ndarray, np.ndarray]:
    """(N,) how far the points that teach lie from the body in the project, and from the new one, crop units.

    NaN for people without such points or without a body, and for those who keep theirs.
    """
    assert cast.known is not None
    crops, skeleton = cast.known.crops, Skeleton(body)
    errors = np.full((2, len(cast)), np.nan)
    for row in np.flatnonzero(people.verdict.takes_refined & np.asarray(cast.has_body, dtype=bool)).tolist():
        points = crops.points[row].numpy().astype(np.float64)
        weight = cast.known.weight[row].numpy() * skeleton.known
        try:
            present = project.person(cast.person_ids[row]).body
        except EditError:  # gone meanwhile
            continue
        if present is None or not weight.any():
            continue
        refined, half_px = people.refined[row], crops.box_height_px[row] / 2
        for number, params in enumerate((present.params, refined.params)):
            posed = skeleton.points(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)
            focal, centre = refined.camera.focal_length_px, refined.camera.centre_px
            shown = project_points(posed[None], np.array([focal]), np.array([centre]))[0]
            away = np.linalg.norm((shown - crops.centre_px[row]) / half_px - points[:, :2], axis=1)
            errors[number, row] = np.average(np.clip(np.nan_to_num(away, nan=1.0), 0, 1), weights=weight)
    return errors[0], errors[1]


def _write_shards(
    run: RunFolder,
    news: News,
    cast: Cast,
    people: RefinedPeople,
    inside_mm: Mapping[int, float],
    said: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> None:
    """Everybody's body as predictions; people who have none yet in shards of their own, which are taken in anyway."""
    described = {key: said[key] for key in ("rounds", "withheld_before", "withheld_after", "supervising")}
    told = {"kind": "model", "name": said["model"], "settings": {**described, **settings}}
    shards: list[tuple[bool, list[int]]] = []
    for is_bodiless in (True, False):
        rows = [row for row, has_body in enumerate(cast.has_body) if has_body != is_bodiless]
        starts = range(0, len(rows), _PEOPLE_PER_SHARD)
        shards += [(is_bodiless, rows[start : start + _PEOPLE_PER_SHARD]) for start in starts]
    keys = [shard_key(said.get("weights", ""), [cast.uids[row] for row in rows]) for _, rows in shards]
    names = [f"{number:06}-{key}.npz" for number, key in enumerate(keys)]
    for path in run.finished_shards():  # of a run that was stopped and goes on: other weights, other bodies
        if path.name not in names:
            path.unlink(missing_ok=True)
    for number, ((is_bodiless, rows), name) in enumerate(zip(shards, names, strict=True), 1):
        written = []
        for row in rows:
            found, suspicion = _new_body(cast, people, row), float(people.verdict.suspicion_mm[row])
            ids = cast.photo_ids[row], found, cast.person_ids[row]
            written.append(ShardRow(*ids, suspicion=suspicion, inside_mm=inside_mm.get(row)))
        write_shard(run.shards / name, Shard(tuple(written), notes={"run": told, BODILESS: is_bodiless}))
        news.tell(SHARD, shards=number)


def _new_body(cast: Cast, people: RefinedPeople, row: int) -> tuple[Prediction, ...]:
    """What somebody gets: the refined body where the guard takes it, the first one where they have none; or nothing."""
    found = _prediction(people.refined[row]) if people.verdict.takes_refined[row] else ()
    return found if found or cast.has_body[row] else _prediction(people.prior[row])


def _prediction(estimate: Estimate) -> tuple[Prediction, ...]:
    """The body alone: box and points were given. Nothing where it is no body."""
    params = estimate.params
    numbers = np.concatenate([params.pose_rotvec.ravel(), params.betas, params.transl, estimate.cam_crop])
    if not np.isfinite(numbers).all():
        return ()
    return (Prediction(None, None, params, estimate.camera, np.asarray(estimate.cam_crop, dtype=np.float64)),)
