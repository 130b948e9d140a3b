"""The worklist: what is suspicious comes first, one video does not fill it, and it says why."""

import numpy as np
import pytest

from annotator.apply import apply_job
from annotator.commands import Exclude, MovePoint, Review, SetState
from annotator.jobs import Job, JobRequest
from annotator.project import Prediction, create_project
from annotator.runs import RunFolder
from annotator.shards import Shard, ShardRow, write_shard
from annotator.worklist import advice, expected_gain_mm, next_people, take_of
from cliff_core.images import write_image
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams

SIZE = (64, 48)
NOTES = {"run": {"kind": "model", "name": "test-model", "settings": {}}}
NAMES = [f"video/frame_{number:03}.png" for number in range(12)] + ["beach.png", "cafe.png"]


@pytest.fixture
def project(tmp_path):
    """A video in which everybody has one pose, and two other photos."""
    for number, name in enumerate(NAMES):
        rgb = np.random.default_rng(number).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        write_image(tmp_path / "photos" / name, rgb)
    opened, _ = create_project(tmp_path / "project", tmp_path / "photos")
    with opened:
        yield opened


def fill(project, suspicion, kind="propose"):
    """One person on each photo, with so much suspicion."""
    rows = []
    for name, value in suspicion.items():
        seed = 0 if name.startswith("video") else len(name)
        pose = np.random.default_rng(seed).normal(scale=0.3, size=(24, 3))
        points = Keypoints.uniform("coco17", np.full((17, 2), 20.0), np.arange(17) < 5, source=Provenance.MODEL)
        body = SmplParams(pose, np.zeros(10), np.array([0.0, 0.0, 4.0]))
        photo = project.photo_named(name)
        prediction = Prediction(Box(3, 3, 30, 40), points, body, Camera(80.0, SIZE), np.array([0.9, 0.0, 0.0]))
        rows.append(ShardRow(photo.id, (prediction,), uid=f"{photo.id:032x}", suspicion=value))
    run = RunFolder.create(project.folder, JobRequest(kind))
    write_shard(run.shards / "000000-a.npz", Shard(tuple(rows), notes=NOTES))
    apply_job(project, Job(run))
    return {project.photo(person.photo_id).name: person.id for person in project.people()}


def order(project, limit=50, **more):
    return [project.photo(entry.photo_id).name for entry in next_people(project, limit, **more)]


def test_one_video_does_not_fill_the_queue(project):
    fill(project, {name: (150.0 if name.startswith("video") else 100.0) for name in NAMES})
    found = order(project, 4)
    assert found[0].startswith("video")
    assert {"beach.png", "cafe.png"} <= set(found)
    assert sorted(order(project)) == sorted(NAMES)


def test_who_is_like_somebody_passed_over_or_done_waits(project):
    people = fill(project, {name: (150.0 if name.startswith("video") else 100.0) for name in NAMES})
    (first,) = next_people(project, 1)
    (second,) = next_people(project, 1, skip=[first.person_id])
    assert project.photo(first.photo_id).name.startswith("video")
    assert not project.photo(second.photo_id).name.startswith("video")
    project.edit(SetState(people["video/frame_006.png"], "done"))
    assert not order(project, 1)[0].startswith("video")


def test_it_says_how_many_are_like_the_one_who_stands_for_them(project):
    fill(project, {name: (150.0 if name.startswith("video") else 100.0) for name in NAMES})
    entry = next_people(project, 3)[0]
    assert "more like it wait" in entry.why
    assert entry.gain_mm == pytest.approx(expected_gain_mm(150.0))


def test_photos_that_are_no_part_of_the_work_are_not_in_it(project):
    people = fill(project, {"beach.png": 80.0, "cafe.png": 90.0})
    project.edit(Exclude(project.person(people["cafe.png"]).photo_id))
    assert order(project) == ["beach.png"]


def test_without_likeness_suspicion_alone_counts(project):
    fill(project, {"beach.png": 80.0, "cafe.png": 90.0, NAMES[0]: 70.0})
    assert order(project) == ["cafe.png", "beach.png", NAMES[0]]
    assert [entry.suspicion_mm for entry in next_people(project)] == [90.0, 80.0, 70.0]


def test_who_is_done_or_passed_over_is_not_in_it(project):
    people = fill(project, {"beach.png": 80.0, "cafe.png": 90.0, NAMES[0]: 70.0})
    project.edit(SetState(people["cafe.png"], "done"))
    assert order(project, skip=[people["beach.png"]]) == [NAMES[0]]


def test_who_was_rejected_comes_first_with_the_reason(project):
    people = fill(project, {"beach.png": 80.0, "cafe.png": 90.0})
    project.edit(Review(people["beach.png"], "rejected", "left and right are swapped"))
    first = next_people(project)[0]
    assert (first.person_id, first.why) == (people["beach.png"], "rejected: left and right are swapped")


def test_it_says_why(project):
    fill(project, {"cafe.png": 90.0})
    (entry,) = next_people(project)
    assert "an error of about 90 mm is expected" in entry.why
    assert "only 5 of 17 points" in entry.why
    assert "a detector's" in entry.why


def test_it_says_when_to_refine_again(project):
    people = fill(project, dict.fromkeys(NAMES, 130.0))
    assert "14 people are expected" in advice(project).text
    for name in NAMES[:10]:
        project.edit(MovePoint(people[name], "coco17", "nose", (9.0, 9.0)))
    told = advice(project)
    assert (told.refine, told.touched) == (True, 10)
    assert "refine now" in told.text
    run = RunFolder.create(project.folder, JobRequest("refine"))
    rows = tuple(ShardRow(project.person(number).photo_id, (), number, suspicion=20.0) for number in people.values())
    write_shard(run.shards / "000000-a.npz", Shard(rows, notes=NOTES))
    apply_job(project, Job(run))
    told = advice(project)
    assert (told.refine, told.touched, told.suspicious) == (False, 0, 0)
    assert "accepted unseen" in told.text


def test_who_has_no_body_yet_is_to_be_predicted_before_anything_is_corrected(project):
    fill(project, {"beach.png": 80.0})
    boxed = (Prediction(Box(3, 3, 30, 40), None),)
    rows = [ShardRow(project.photo_named(name).id, boxed, uid=name[6:].ljust(32, "0")) for name in NAMES[:3]]
    run = RunFolder.create(project.folder, JobRequest("import"))
    write_shard(run.shards / "000000-a.npz", Shard(tuple(rows), notes=NOTES))
    apply_job(project, Job(run))
    assert advice(project).text == "3 people have no body yet: propose predicts them."
    numbers = [person.id for person in project.people() if person.body is None]
    project.edit(SetState(numbers[0], "done"))
    project.edit(Exclude(project.person(numbers[1]).photo_id))
    assert advice(project).text == "1 people have no body yet: propose predicts them."
    body = Prediction(
        None, None, SmplParams(np.zeros((24, 3)), np.zeros(10), np.ones(3)), Camera(80.0, SIZE), np.ones(3)
    )
    run = RunFolder.create(project.folder, JobRequest("propose"))
    written = Shard((ShardRow(project.person(numbers[2]).photo_id, (body,), numbers[2]),), notes=NOTES)
    write_shard(run.shards / "000000-a.npz", written)
    apply_job(project, Job(run))
    assert "no body" not in advice(project).text


def test_an_empty_project_has_nothing_to_look_at(project):
    assert next_people(project) == []
    assert "Nobody is in the project yet" in advice(project).text


@pytest.mark.parametrize(
    ("name", "take"),
    [
        ("a/img_0042.jpg", ("a/img_#", 42)),
        ("clip7_f0003_left.png", ("clip7_f#_left", 3)),
        ("portrait.jpg", ("portrait.jpg", 0)),
    ],
)
def test_a_photo_knows_its_take(name, take):
    assert take_of(name) == take
