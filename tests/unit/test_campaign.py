"""The queue on people whose truth is known, and what a campaign says of gain and effort."""

from dataclasses import replace

import numpy as np
import pytest

from annotator.bench_annotators import figure_of, joints_of
from annotator.bench_work import suspicion_mm
from annotator.campaign import campaign, corrections
from annotator.commands import MovePoint, SetPose, SetState
from annotator.project import Prediction, Run, create_project
from annotator.worklist import SUSPICION, next_people
from cliff_core.body import load_body
from cliff_core.evaluation.metrics import pa_mpjpe
from cliff_core.evaluation.points_only import sample_points_only
from cliff_core.evaluation.prior import predict_points_only
from cliff_core.evaluation.scores import SMPL14
from cliff_core.images import write_image
from cliff_core.models import load_cliff
from cliff_core.records import Camera, Keypoints, Provenance

STRANGERS, FRAMES = 120, 50


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A project of sixty strangers and fifty frames of one of them, the worst; the true error of each person."""
    folder = tmp_path_factory.mktemp("known")
    people = sample_points_only(STRANGERS, seed=5, noise_px=4.0)
    params = predict_points_only(load_cliff(), people, "coco17")
    body = load_body()
    truth = np.stack([joints_of(body, each) for each in people.truth])
    errors = pa_mpjpe(np.stack([joints_of(body, each) for each in params]), truth, SMPL14)
    worst = int(np.argmax(errors))
    rows = [(f"day{row % 7}/{chr(97 + row // 26)}{chr(97 + row % 26)}.png", row) for row in range(STRANGERS)]
    rows += [(f"video/frame_{number:03}.png", worst) for number in range(FRAMES)]
    rng = np.random.default_rng(0)
    for name, _ in rows:
        write_image(folder / "photos" / name, rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    project, _ = create_project(folder / "project", folder / "photos")
    run = Run.new(Provenance.MODEL, "points")
    by_name = dict(rows)
    keypoints = people.keypoints("coco17")
    with project, project.batch("Propose", run) as batch:
        for name, row in rows:
            seen = Keypoints.uniform("coco17", keypoints[row].points_px, keypoints[row].visibility, source="model")
            camera: Camera = people.cameras[row]
            batch.add_person(project.photo_named(name).id, Prediction(people.boxes[row], seen, params[row], camera))
        batch.commit()
        height = people.people.views.box_height_px
        true = {}
        for person in project.people():
            row = by_name[project.photo(person.photo_id).name]
            true[person.id] = float(errors[row])
            figure = figure_of(project, person.id, {"neutral": body})
            project.set_measures(SUSPICION, {person.id: suspicion_mm(figure, float(height[row]))})
        yield project, true


def test_fifty_frames_of_one_video_do_not_fill_the_queue(known):
    project, _ = known
    first = [project.photo(entry.photo_id).name for entry in next_people(project, 20)]
    assert sum(name.startswith("video") for name in first) <= 3
    passed = []
    for _ in range(8):  # as the window asks, one by one
        passed.append(next_people(project, 1, skip=passed)[0].person_id)
    names = [project.photo(project.person(number).photo_id).name for number in passed]
    assert sum(name.startswith("video") for name in names) <= 2


def test_the_first_of_the_queue_are_farther_from_the_truth_than_others(known):
    project, true = known
    strangers = [
        entry for entry in next_people(project, 200) if not project.photo(entry.photo_id).name.startswith("video")
    ]
    errors = np.array([true[entry.person_id] for entry in strangers])
    assert len(errors) == STRANGERS
    rng = np.random.default_rng(0)
    fifth = STRANGERS // 5
    random = np.array([rng.permutation(errors)[:fifth].sum() for _ in range(500)])
    assert errors[:fifth].sum() > random.mean() + 2 * random.std()


@pytest.fixture
def project(tmp_path, known):
    """Thirty people whose bodies are as a model left them."""
    rng = np.random.default_rng(1)
    for number in range(30):
        write_image(tmp_path / "photos" / f"{number}.png", rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    made, _ = create_project(tmp_path / "project", tmp_path / "photos")
    template = next(known[0].people()).predictions["body"]
    with made:
        with made.batch("Propose", Run.new(Provenance.MODEL, "points")) as batch:
            for photo in list(made.photos()):
                batch.add_person(photo.id, replace(template, id=0, run=None))
        yield made


def turn(project, person_id, angle):
    """Somebody's knee is turned by hand; its leg moves."""
    project.edit(SetPose(person_id, {"left_knee": [angle, 0.0, 0.0]}))


def test_the_way_of_a_body_is_what_the_hand_moved(project):
    turn(project, 1, 1.0)
    turn(project, 1, 0.5)
    project.edit(MovePoint(2, "coco17", "nose", (3.0, 3.0)))
    first, second = corrections(project)
    before, now = project.predictions.by_id([project.person(1).predictions["body"].id]), project.person(1).body
    body = load_body()
    old, new = (joints_of(body, each) for each in (next(iter(before.values())).params, now.params))
    way = 1000 * np.linalg.norm((new - new[0]) - (old - old[0]), axis=1).mean()
    assert (first.person_id, first.actions, first.moved_mm) == (1, 2, pytest.approx(way))
    assert (second.person_id, second.actions, second.moved_mm) == (2, 1, 0.0)
    told = campaign(project)
    assert told.effort == [2, 3]
    assert told.gain_mm == pytest.approx([way, way])
    project.undo()
    assert [each.person_id for each in corrections(project)] == [1]


def test_when_corrections_hardly_move_anything_the_rest_can_be_accepted(project):
    project.set_measures(SUSPICION, dict.fromkeys(range(1, 31), 100.0))
    first = project.person(1).body.params.pose_rotvec[4, 0]
    for number in range(1, 23):
        turn(project, number, first + (1.5 if number <= 12 else 0.01))
        project.edit(SetState(number, "done"))
    with project.batch("Refine", Run.new(Provenance.MODEL, "tuned"), command="Refine") as batch:
        batch.commit(always=True)
    told = campaign(project)
    assert told.is_enough
    assert told.recent_mm < 5.0 < 40.0 < told.ways_mm[0]
    assert "the rest can be accepted unseen" in told.text
    assert told.left == 8
