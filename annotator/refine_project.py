"""Steps 3 and 4 of the loop on a project: fine-tune on all that is known of its people, predict everybody again.

The job reads photos once for the trunk's features, which stay on disk for the next round (`ArrayCache`), tunes, lets
the guard choose for each person, and leaves shards, weights, curves, a summary and a report in its run folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annotator.predict import HANDFUL, HANDFUL_PIXELS, usual_workers
from annotator.project import EditError, Prediction, Project
from annotator.project.fields import BETAS, beta, joint, source_of
from annotator.project.state import Person, Photo
from annotator.refine_report import Changed, write_report
from annotator.runs import CURVE, SHARD, JobError, News, RunFolder
from annotator.shards import Shard, ShardRow, shard_key, write_shard
from cliff_core.body import load_body
from cliff_core.errors import CliffError
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.execution.streams import available_cores, in_handfuls, map_in_order, torch_threads
from cliff_core.images import read_image
from cliff_core.inference import Crops, Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Box, Camera, Estimate, Keypoints, Provenance
from cliff_core.skeletons import SMPL24
from cliff_core.training.finetune import Epoch, FinetuneSettings, Watch
from cliff_core.training.guard import UNSUPERVISED, distance_mm
from cliff_core.training.refining import (
    RefinedPeople,
    crops_with,
    lowest_withheld,
    refine_crops,
    save_model,
    trunk_key,
    with_points,
)
from cliff_core.training.supervision import PersonEdits, body_edits, weighed_points

SUMMARY, REPORT, WEIGHTS = "summary.json", "report.html", "weights.pt"
CACHE = "features.cache"
_CACHE_BYTES = 4 << 30
_AHEAD = 16
_PEOPLE_PER_SHARD = 200
_SHOWN = 12
_LEFT_ALONE = 0.3


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody who is to be refined.

    Attributes:
        photo: they are on.
        person: as the project has them.
        box: theirs.
        camera: of the photo, CLIFF's guess if nobody knows it.
    """

    photo: Photo
    person: Person
    box: Box
    camera: Camera

    @property
    def points(self) -> list[Keypoints]:
        """All their joint sets."""
        found = [self.person.keypoints(name) for name in self.person.joint_sets]
        return [points for points in found if points is not None]


def refine_work(project: Project, run: RunFolder, news: News) -> dict[str, Any]:
    """The job "refine".

    Settings: `rounds`, `seed`, `model` and `body` (files); `polish` (each body a last step nearer to its points);
    `detected_trust` (0..1) lets the points of people whom nobody has looked at supervise too.

    Raises:
        JobError: nobody can be refined.
    """
    settings = run.request().settings
    model, body = load_cliff(settings.get("model")), load_body(settings.get("body"))
    predictor = Predictor(model, body)
    tuning = FinetuneSettings(seed=int(settings.get("seed", 0)), min_points=1)
    with ArrayCache(run.path.parent / CACHE, _CACHE_BYTES) as cache:
        subjects, crops, refused = _look(project, predictor, cache, news)
    if news.should_stop:
        return {"complete": False, "people": 0, "refused": refused}
    if not subjects:
        hint = f" ({refused[0]})" if refused else ""
        raise JobError(f"{project.folder}: nobody to refine{hint}; run propose or draw boxes first")
    points, placed = weighed_points([each.points for each in subjects], crops.centre_px, crops.box_height_px)
    trust = _trust(subjects, placed, float(settings.get("detected_trust", 0.0)))
    set_by_hand = [_edits(each.person, body.gender) for each in subjects]
    edits = body_edits(set_by_hand, crops)

    def curve(stage: str, epoch: Epoch) -> None:
        values = {"fitted": epoch.fitted, "withheld": epoch.withheld, "prior_distance": epoch.prior_distance}
        news.tell(CURVE, stage=stage, epoch=epoch.number, **{key: _number(value) for key, value in values.items()})

    rounds = int(settings.get("rounds", 1))
    watch = Watch(curve, lambda: news.should_stop)
    people = refine_crops(model, body, crops, points, edits, tuning, rounds, news, watch, trust)
    if settings.get("polish"):
        from cliff_core.training.polishing import polish_people

        rows = np.flatnonzero(people.verdict.takes_refined).tolist()
        marked, weight = with_points(crops, points), points[..., 2] * trust
        polished = polish_people(
            body, marked, weight, people.refined, set_by_hand, rows, news, lambda: news.should_stop
        )
        people = replace(people, refined=polished)
    said = _summary(subjects, people, points, placed, edits, refused)
    if people.model is not None:
        said["weights"] = save_model(people.model, run.path / WEIGHTS, f"{model.name}-refined")
    said["model"] = f"{model.name}-refined" if people.model is not None else model.name
    _write_shards(run, news, subjects, people, said, settings)
    content = json.dumps(said, ensure_ascii=False, indent=1)
    (run.path / SUMMARY).write_text(content, encoding="utf-8")
    write_report(run.path / REPORT, said, people.rounds, list(_changed(project, subjects, people)), body, news)
    return {**said, "report": str(run.path / REPORT), "complete": not news.should_stop}


def _look(
    project: Project, predictor: Predictor, cache: ArrayCache, news: News
) -> tuple[list[Subject], Crops, list[str]]:
    """Everybody with a box, their crops with features, and a line for each who was left out."""
    groups: list[list[Subject]] = []
    refused: list[str] = []
    for photo in project.photos("NOT excluded AND people > 0"):
        camera = photo.camera or Camera.guess(photo.size_px)
        people = project.people_on(photo.id)
        group = []
        for person in people:
            subject = None if person.box is None else Subject(photo, person, person.box, camera)
            if subject is not None and (problem := _unplaceable(predictor, subject)):
                refused.append(f"{photo.name}: {problem}")
            elif subject is not None:
                group.append(subject)
        if group:
            groups.append(group)
    workers = usual_workers()
    threads = max(1, available_cores() // workers)
    trunk = trunk_key(predictor)

    def work(handful: list[list[Subject]]) -> list[tuple[list[Subject], Crops | None, str]]:
        return [_crop(project, predictor, cache, trunk, group) for group in handful]

    done, total = 0, sum(map(len, groups))
    subjects: list[Subject] = []
    parts: list[Crops] = []
    pieces = in_handfuls(groups, HANDFUL, HANDFUL_PIXELS, lambda group: math.prod(group[0].photo.size_px))
    with torch_threads(threads), closing(map_in_order(work, pieces, workers, _AHEAD)) as results:
        for handful in results:
            for group, crops, problem in handful:
                done += len(group)
                if crops is None:
                    refused.append(problem)
                    continue
                subjects += group
                parts.append(crops)
            news(done, total, "looking at people")
            if news.should_stop:
                break
    return subjects, Crops.join(parts) if parts else None, refused  # type: ignore[return-value]


def _unplaceable(predictor: Predictor, subject: Subject) -> str:
    """Why a person cannot be cut out; empty if they can."""
    try:
        placed = predictor.place(None, [subject.box], camera=subject.camera)
    except CliffError as problem:
        return str(problem)
    return "" if np.isfinite(placed.bbox_info.numpy()).all() else "its box or camera is no number"


def _crop(
    project: Project, predictor: Predictor, cache: ArrayCache, trunk: str, group: list[Subject]
) -> tuple[list[Subject], Crops | None, str]:
    """The people of one photo with their features, from the cache where it has all of them."""
    photo, camera = group[0].photo, group[0].camera
    placed = predictor.place(None, [each.box for each in group], camera=camera)
    keys = [f"{trunk}-{shard_key(photo.sha256, photo.orientation, list(each.box.xyxy))}" for each in group]
    known = cache.get(keys)
    if len(known) == len(set(keys)):
        return group, crops_with(placed, np.stack([known[key] for key in keys])), ""
    file = project.photo_file(photo.id)
    try:
        rgb = read_image(file)
    except CliffError as problem:
        return group, None, str(problem)
    if (rgb.shape[1], rgb.shape[0]) != photo.size_px:
        return group, None, f"{file}: is another picture now; `relink` finds the one that it was"
    crops = predictor.crops_of([(rgb, placed)])
    cache.put(dict(zip(keys, crops.features.float().numpy(), strict=True)))
    return group, crops, ""


def _edits(person: Person, gender: str) -> PersonEdits:
    """What a hand set of a body. Shape numbers of another body say nothing about this one."""
    own = {name: value for name, value in person.own.items() if source_of(value) is Provenance.HUMAN}
    rotvecs = {row: np.array(own[joint(name)][:3]) for row, name in enumerate(SMPL24.names) if joint(name) in own}
    betas = {n: float(own[beta(n)][0]) for n in range(BETAS) if beta(n) in own and person.gender == gender}
    return PersonEdits(rotvecs, betas, np.array(own["transl"][:3]) if "transl" in own else None)


def _trust(subjects: Sequence[Subject], placed, detected: float):
    """(N, 47) how far each point supervises.

    What people and files placed does fully. A detector's point does where somebody vouches for it by calling the person
    done or accepted, and to a part where somebody has placed others of the same person and left this one. Elsewhere it
    is only an input: tuned on a detector's points, bodies take over its mistakes (`docs/loop.md` has the numbers).
    """
    trust = placed.float()
    for row, subject in enumerate(subjects):
        person = subject.person
        if person.state == "done" or person.verdict == "accepted":
            trust[row] = 1.0
        else:
            rest = max(detected, _LEFT_ALONE if placed[row].any() else 0.0)
            trust[row] = trust[row].clamp(min=rest)
    return trust


def _summary(
    subjects: Sequence[Subject], people: RefinedPeople, points, placed, edits, refused: list[str]
) -> dict[str, Any]:
    """What the report and the window say of the run; plain JSON."""
    weight = points[..., 2].numpy()
    verdict, evidence = people.verdict, people.evidence
    moved = distance_mm(evidence.prior, evidence.refined)
    before = people.rounds[0].choosing[0].withheld if people.rounds else None
    after = lowest_withheld(people.rounds[-1]) if people.rounds else None
    held = np.isfinite(evidence.withheld_after)
    nearer = int((evidence.withheld_after[held] < evidence.withheld_before[held]).sum())
    return {
        "people": len(subjects),
        "photos": len({each.photo.id for each in subjects}),
        "supervising": int(evidence.supervised.sum()),
        "labelled_points": int(placed.sum()),
        "points": int((weight > 0).sum()),
        "edited_joints": int(edits.rotmat_set.sum()),
        "edited_betas": int(edits.betas_set.sum()),
        "edited_places": int(edits.cam_set.sum()),
        "rounds": [
            {"epochs": each.chosen_epochs, "withheld": _number(lowest_withheld(each))} for each in people.rounds
        ],
        "withheld_before": _number(before),
        "withheld_after": _number(after),
        "withheld_people": int(held.sum()),
        "withheld_nearer": nearer,
        "better": bool(before is not None and after is not None and after < before),
        "refined": int(verdict.takes_refined.sum()),
        "kept": int((~verdict.takes_refined).sum()),
        "kept_because": sorted(
            f"{each.photo.name}, person {each.person.id}: {why}"
            for each, why in zip(subjects, verdict.why, strict=True)
            if why and why != UNSUPERVISED
        ),
        "moved_mm": _number(float(np.nanmedian(moved))),
        "suspicion_mm": _number(float(np.median(verdict.suspicion_mm))),
        "refused": refused,
    }


def _write_shards(
    run: RunFolder,
    news: News,
    subjects: Sequence[Subject],
    people: RefinedPeople,
    said: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> None:
    """Everybody's body as predictions; the guard's choice decides which, or that what is there stays."""
    described = {key: said[key] for key in ("rounds", "withheld_before", "withheld_after", "supervising")}
    told = {"kind": "model", "name": said["model"], "settings": {**described, **settings}}
    for number, start in enumerate(range(0, len(subjects), _PEOPLE_PER_SHARD)):
        rows = []
        for row in range(start, min(start + _PEOPLE_PER_SHARD, len(subjects))):
            person = subjects[row].person
            body = _chosen(people, row, has_body=person.body is not None)
            suspicion = float(people.verdict.suspicion_mm[row])
            rows.append(ShardRow(person.photo_id, body, person.id, suspicion=suspicion))
        key = shard_key(said.get("weights", ""), [subjects[row].person.uid for row in range(start, start + len(rows))])
        write_shard(run.shards / f"{number:06}-{key}.npz", Shard(tuple(rows), notes={"run": told}))
        news.tell(SHARD, shards=number + 1)


def _chosen(people: RefinedPeople, row: int, *, has_body: bool) -> tuple[Prediction, ...]:
    if people.verdict.takes_refined[row]:
        return _prediction(people.refined[row])
    return () if has_body else _prediction(people.prior[row])


def _prediction(estimate: Estimate) -> tuple[Prediction, ...]:
    """The body alone: box and points were given. Nothing where it is no body."""
    params = estimate.params
    numbers = np.concatenate([params.pose_rotvec.ravel(), params.betas, params.transl, estimate.cam_crop])
    if not np.isfinite(numbers).all():
        return ()
    return (Prediction(None, None, params, estimate.camera, np.asarray(estimate.cam_crop, dtype=np.float64)),)


def _changed(project: Project, subjects: Sequence[Subject], people: RefinedPeople) -> Iterator[Changed]:
    """Those whose body changes most, with what they have now and will have."""
    moved = np.where(people.verdict.takes_refined, distance_mm(people.evidence.prior, people.evidence.refined), -1.0)
    for row in np.argsort(-moved, kind="stable")[:_SHOWN]:
        subject = subjects[row]
        if moved[row] < 0:
            return
        now = subject.person.body
        before = people.prior[row].params if now is None else now.params
        try:
            file = project.photo_file(subject.photo.id)
        except EditError:
            continue
        yield Changed(
            file,
            f"{subject.photo.name}, person {subject.person.id}",
            before,
            people.refined[row].params,
            people.refined[row].camera,
            subject.person.main_keypoints,
            float(moved[row]),
            float(people.verdict.suspicion_mm[row]),
        )


def _number(value: float | None) -> float | None:
    """A number as JSON has it."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
