"""Files in and out: everything is read, joined, or named with the reason; what goes out comes back the same."""

import hashlib
import json

import numpy as np
import pytest

from annotator.commands import MovePoint, RemovePoint, SetPose, SetState
from annotator.project import EditError, Run
from annotator.project.exporting import export_project, photo_person
from annotator.project.importing import import_file
from cliff_core.body import load_body
from cliff_core.errors import FormatError
from cliff_core.formats import read, write
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import COCO17

SIZE = (64, 48)


def labelled(name: str, left: float, annotation_id: int, size=SIZE, camera=None) -> PhotoPerson:
    """Somebody as an annotation tool gives them."""
    points = np.random.default_rng(annotation_id).uniform(0, 40, (17, 2)).round(2)
    keypoints = Keypoints.uniform("coco17", points, np.full(17, 2), source=Provenance.IMPORTED)
    box = Box(left, 3, left + 20, 40, source=Provenance.IMPORTED)
    return PhotoPerson(name, size, box, keypoints, camera, annotation_id)


@pytest.fixture
def coco(tmp_path):
    people = [
        labelled("photo0.png", 1, 11, camera=Camera(500.5, SIZE)),
        labelled("photo0.png", 35, 12, camera=Camera(500.5, SIZE)),
        labelled("photo1.png", 5, 13),
        labelled("elsewhere.png", 5, 14),
        labelled("photo2.png", 5, 15, size=(48, 64)),
    ]
    write("coco", tmp_path / "labels.json", people)
    return tmp_path / "labels.json"


def test_every_person_of_a_file_is_taken_or_named_with_the_reason(project, coco):
    report = import_file(project, coco)
    assert (report.format, report.read, report.added, report.joined) == ("coco", 5, 3, 0)
    missing, turned = sorted(report.skipped)
    assert "elsewhere.png: no such photo" in missing
    assert "photo2.png" in turned
    assert "lying on its side" in turned
    people = project.people_on(1)
    assert [person.keypoints("coco17").points_px.tolist() for person in people] == [
        labelled("photo0.png", 1, 11).keypoints.points_px.tolist(),
        labelled("photo0.png", 35, 12).keypoints.points_px.tolist(),
    ]
    assert set(people[0].keypoints("coco17").source) == {Provenance.IMPORTED}
    assert project.photo(1).camera == Camera(500.5, SIZE)


def test_an_import_is_one_step_of_undo(project, coco, content):
    before = content(project)
    import_file(project, coco)
    assert project.undo().step.label == "Import labels.json"
    assert content(project) == before


def test_importing_twice_makes_nobody_twice(project, coco):
    import_file(project, coco)
    report = import_file(project, coco)
    assert (report.added, report.joined) == (0, 3)
    assert len(list(project.people())) == 3


def test_labels_join_the_people_who_were_proposed(project, coco, make_prediction, model_run):
    proposal = make_prediction()
    box = labelled("photo0.png", 1, 11).box
    close = Box(box.x0 + 1, box.y0, box.x1, box.y1)
    with project.batch("Propose", model_run()) as batch:
        batch.add_person(1, type(proposal)(close, None, proposal.params, Camera.guess(SIZE)))
    report = import_file(project, coco)
    assert (report.added, report.joined) == (2, 1)
    joined = project.people_on(1)[0]
    assert joined.body.model == "open-cliff 1"
    assert joined.box == box


def test_labels_leave_alone_what_a_person_set(project, coco):
    import_file(project, coco)
    someone = project.people_on(2)[0]
    project.edit(MovePoint(someone.id, "coco17", "nose", (1 / 3, 2)))
    project.edit(RemovePoint(someone.id, "coco17", "left_eye"))
    import_file(project, coco)
    keypoints = project.person(someone.id).keypoints("coco17")
    assert keypoints.points_px[0].tolist() == [1 / 3, 2]
    assert keypoints.visibility[1] == 0


@pytest.mark.parametrize("end", ["", '"images": [], "annotations": [{"id": 1}]', "not json"])
def test_a_file_that_is_wrong_further_down_changes_nothing(project, coco, content, end):
    text = coco.read_text("utf-8")
    coco.write_text(text[: len(text) * 2 // 3] + end, "utf-8")
    before, lines = content(project), project.journal.last_seq()
    with pytest.raises(FormatError):
        import_file(project, coco)
    assert content(project) == before
    assert project.journal.last_seq() == lines


@pytest.fixture
def bodies(tmp_path, make_prediction):
    """Bodies as another regressor gives them."""
    camera = Camera(700.25, SIZE, (30.0, 20.0))
    people, estimates = [], []
    for number in range(2):
        person = labelled(f"photo{number}.png", 5, 20 + number, camera=camera)
        params = make_prediction(number).params
        people.append(person)
        estimates.append(Estimate(person.box, params, camera, np.ones(3), model="hmr2 1.0"))
    write("cliff-gt", tmp_path / "bodies.npz", people, estimates, load_body())
    return tmp_path / "bodies.npz", estimates


def test_bodies_of_another_regressor_are_predictions_in_its_name(project, bodies):
    file, estimates = bodies
    report = import_file(project, file)
    assert report.models == {"hmr2 1.0": 2}
    found = project.people_on(1)[0].body
    assert found.model == "hmr2 1.0"
    assert set(found.pose_source) == {Provenance.MODEL}
    assert np.array_equal(found.params.pose_rotvec, estimates[0].params.pose_rotvec)
    assert np.array_equal(found.params.transl, estimates[0].params.transl)
    assert found.camera == estimates[0].camera


def test_our_run_replaces_the_body_of_another_regressor_and_not_its_labels(project, bodies, make_prediction):
    file, _ = bodies
    import_file(project, file)
    someone = project.people_on(1)[0]
    points = someone.main_keypoints.points_px
    with project.batch("Propose", Run.new(Provenance.MODEL, "open-cliff 1")) as batch:
        batch.apply(someone.id, make_prediction(7))
    someone = project.person(someone.id)
    assert someone.body.model == "open-cliff 1"
    assert np.array_equal(someone.keypoints("spin24").points_px, points)


def test_what_is_exported_comes_back_the_same(project, person, tmp_path):
    project.edit(SetPose(person, {"left_knee": [1 / 3, 0.2, 0.1]}))
    before = project.person(person)
    report = export_project(project, project.folder, "cliff-gt", tmp_path / "out" / "all.npz", body=load_body())
    assert (report.people, report.photos) == (1, 1)
    again = read(tmp_path / "out" / "all.npz")
    assert np.array_equal(again.params[0].pose_rotvec, before.body.params.pose_rotvec)
    assert np.array_equal(again.params[0].transl, before.body.params.transl)
    assert np.array_equal(again.params[0].betas, before.body.params.betas)


@pytest.mark.parametrize("place", ["project.sqlite", "project.toml", "annotations/all.json", "backups/x/all.json"])
def test_an_export_replaces_nothing_of_the_project(project, person, place):
    out = project.folder / place
    before = out.read_bytes() if out.exists() else None
    with pytest.raises(EditError, match="belongs to the project itself; choose another place"):
        export_project(project, project.folder, "coco", out)
    assert (out.read_bytes() if out.exists() else None) == before


def test_an_export_replaces_no_photo(project, person, photos):
    before = (photos / "photo1.png").read_bytes()
    with pytest.raises(EditError, match=r"photo1\.png: is one of the photos"):
        export_project(project, project.folder, "coco", photos / "photo1.png")
    assert (photos / "photo1.png").read_bytes() == before


@pytest.mark.parametrize("name", ["overlay", "render"])
def test_pictures_are_not_written_among_the_photos(project, person, photos, name):
    before = {path: path.read_bytes() for path in photos.iterdir()}
    with pytest.raises(EditError, match="the photos lie there, and a picture could replace one"):
        export_project(project, project.folder, name, photos, body=load_body())
    assert {path: path.read_bytes() for path in photos.iterdir()} == before


def test_the_manifest_says_what_is_in_it_and_where_it_comes_from(project, person, tmp_path):
    project.edit(MovePoint(person, "coco17", "nose", (1 / 3, 2)))
    project.edit(SetState(person, "done"))
    out = tmp_path / "done.json"
    report = export_project(project, project.folder, "coco", out, only="done")
    manifest = json.loads(report.manifest.read_text("utf-8"))
    assert manifest["files"] == {"done.json": hashlib.sha256(out.read_bytes()).hexdigest()}
    assert manifest["counts"]["points_by_source"] == {"human": 1, "model": 16}
    assert manifest["counts"]["states"] == {"done": 1}
    assert manifest["models"] == {"open-cliff 1": 1}
    assert manifest["photos"] == {"photo0.png": project.photo(1).sha256}
    (run,) = manifest["runs"].values()
    assert run["settings"] == {"seed": 0}


def test_a_format_that_is_none_is_said_before_who_does_not_fit_it(project, person, tmp_path):
    with pytest.raises(EditError, match="no format 'nonsense'; there are coco,"):
        export_project(project, project.folder, "nonsense", tmp_path / "x")


def test_an_export_of_nobody_says_so(project, tmp_path):
    with pytest.raises(EditError, match="there is nobody yet"):
        export_project(project, project.folder, "coco", tmp_path / "x.json")


def test_only_what_was_chosen_is_exported(project, person, tmp_path):
    with pytest.raises(EditError, match="nobody is 'done'"):
        export_project(project, project.folder, "coco", tmp_path / "done.json", only="done")
    assert not (tmp_path / "done.json").exists()


def test_people_without_a_body_are_left_out_of_bodies_and_counted(project, person, coco, tmp_path):
    import_file(project, coco)
    out = tmp_path / "bodies.npz"
    report = export_project(project, project.folder, "cliff-gt", out, body=load_body())
    assert report.left_out == {"without a body": 3}
    assert report.people == 1


def test_what_came_from_coco_goes_back_with_its_numbers(project, coco, tmp_path):
    import_file(project, coco)
    export_project(project, project.folder, "coco", tmp_path / "again.json")
    theirs = {entry["id"]: entry for entry in json.loads(coco.read_text("utf-8"))["annotations"]}
    ours = {entry["id"]: entry for entry in json.loads((tmp_path / "again.json").read_text("utf-8"))["annotations"]}
    assert ours.keys() == {11, 12, 13}
    for number, entry in ours.items():
        assert entry["keypoints"] == theirs[number]["keypoints"]
        assert entry["bbox"] == theirs[number]["bbox"]


def test_a_person_is_given_to_training_with_every_digit(project, person):
    project.edit(MovePoint(person, "coco17", "left_wrist", (1 / 3, 2 / 3)))
    record = photo_person(project.person(person), project.photo(1))
    assert record.keypoints.points_px[COCO17.index("left_wrist")].tolist() == [1 / 3, 2 / 3]
