"""What comes back of 2D points, held against the table in docs/formats.md, and what COCO's own tools make of them."""

import re
from pathlib import Path

import numpy as np
import pytest

from cliff_core.formats import read, write
from cliff_core.records import Box, Camera, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import JOINT_SETS

OWN_SETS = {"coco": "coco17", "coco-wholebody": "coco23", "halpe": "halpe26", "openpose": "body25", "mpii": "mpii16"}
OWN_SETS |= {"coco-result": "coco17"}
COLUMNS = ("points_px", "box_px", "hidden points", "confidence", "source", "camera")


def make_people(joint_set, count=20):
    """People with every kind of point, on several photos."""
    rng = np.random.default_rng(7)
    people = []
    for number in range(count):
        points = len(JOINT_SETS[joint_set])
        visibility = rng.integers(0, 3, points)
        visibility[:2] = 1, 2
        sources = tuple(rng.choice(list(Provenance), points))
        keypoints = Keypoints(
            joint_set, rng.uniform(-50, 4000, (points, 2)), visibility, rng.uniform(0.1, 1, points), sources
        )
        x, y = rng.uniform(-20, 3000, 2)
        box = Box(x, y, x + rng.uniform(1, 900), y + rng.uniform(1, 900))
        camera = Camera(3000.0, (4000, 3000)) if number % 2 else None
        people.append(
            PhotoPerson(f"ü {number // 4}/{number % 2}.jpg", (4000, 3000), box, keypoints, camera, number + 1)
        )
    return people


def what_comes_back(name, folder):
    """The largest differences in pixels, and whether the rest is as it was."""
    before = make_people(OWN_SETS[name])
    write(name, folder / "export", before)
    annotations = read(folder / "export", name)
    assert annotations.report.skipped == []
    after = sorted(annotations.people, key=lambda person: person.annotation_id)
    found = dict.fromkeys(COLUMNS, True) | {"points_px": 0.0, "box_px": 0.0}
    for old, new in zip(before, after, strict=True):
        assert (old.image_name, old.image_size_px) == (new.image_name, new.image_size_px)
        a, b = old.keypoints, new.keypoints
        shown = a.visibility > 0
        assert (shown == (b.visibility > 0)).all()
        found["points_px"] = max(found["points_px"], np.abs(a.points_px - b.points_px)[shown].max())
        found["box_px"] = max(found["box_px"], np.abs(old.box.xyxy - new.box.xyxy).max())
        found["hidden points"] &= bool((a.visibility == b.visibility).all())
        found["confidence"] &= bool((a.confidence == b.confidence)[shown].all())
        found["source"] &= all(a.source[index] == b.source[index] for index in np.flatnonzero(shown))
        found["camera"] &= old.camera == new.camera
    return found


def documented():
    """The rows of the table: what it promises of each format."""
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text("utf-8")
    text = text.partition("## What comes back of 2D points")[2].partition("\n## ")[0]
    rows = {}
    for name, *cells in re.findall(r"^\| `([\w-]+)`" + r" \| ([^|]*?)" * 6 + r" \|", text, re.MULTILINE):
        numbers = [float(cell) for cell in cells[:2]]
        rows[name] = dict(zip(COLUMNS, [*numbers, *(cell == "yes" for cell in cells[2:])], strict=True))
    return rows


@pytest.mark.parametrize("name", OWN_SETS)
def test_the_table_says_what_comes_back(tmp_path, name):
    promised, found = documented()[name], what_comes_back(name, tmp_path)

    assert found["points_px"] <= promised["points_px"]
    assert found["box_px"] <= promised["box_px"]
    assert {key: found[key] for key in COLUMNS[2:]} == {key: promised[key] for key in COLUMNS[2:]}


# What COCO's own tools make of our files


@pytest.fixture
def coco_tools():
    """pycocotools (`pip install pycocotools`), which is not needed for anything else."""
    return pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")


@pytest.mark.parametrize("name", ["coco", "coco-wholebody", "halpe"])
def test_pycocotools_reads_the_same_people(tmp_path, coco_tools, name):
    people = make_people(OWN_SETS[name])
    write(name, tmp_path / "export.json", people)

    coco = coco_tools.COCO(tmp_path / "export.json")

    (category,) = coco.getCatIds(catNms=["person"])
    assert len(coco.getImgIds(catIds=[category])) == 10
    for person in people:
        (annotation,) = coco.loadAnns([person.annotation_id])
        (image,) = coco.loadImgs([annotation["image_id"]])
        count = min(len(person.keypoints.source), 17)
        table = np.array(annotation["keypoints"]).reshape(-1, 3)[:count]
        shown = person.keypoints.visibility[:count] > 0
        assert (image["file_name"], image["width"], image["height"]) == (person.image_name, *person.image_size_px)
        np.testing.assert_array_equal(table[:, 2], person.keypoints.visibility[:count])
        np.testing.assert_array_equal(table[shown, :2], person.keypoints.points_px[:count][shown])
        np.testing.assert_allclose(
            annotation["bbox"], [person.box.x0, person.box.y0, person.box.width, person.box.height]
        )


def test_cocos_evaluation_finds_results_that_equal_the_truth_perfect(tmp_path, coco_tools, capsys):
    evaluation = pytest.importorskip("pycocotools.cocoeval", reason="pycocotools is not installed")
    people = make_people("coco17")
    write("coco", tmp_path / "truth.json", people)
    write("coco-result", tmp_path / "results.json", people, photos=tmp_path / "truth.json")

    truth = coco_tools.COCO(tmp_path / "truth.json")
    compared = evaluation.COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
    compared.evaluate()
    compared.accumulate()
    compared.summarize()

    assert compared.stats[0] == pytest.approx(1)  # average precision
    assert compared.stats[5] == pytest.approx(1)  # average recall
    capsys.readouterr()
