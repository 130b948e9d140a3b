import json

import numpy as np
import pytest

from cliff_core.detection import KeypointDetector, LandmarkDetector
from cliff_core.images import read_image
from cliff_core.records import Box, Provenance
from cliff_core.resources import resource_path
from cliff_core.skeletons import BLAZEPOSE33, shared_points

FROM_33, TO_17 = shared_points("blazepose33", "coco17")
NEAR = 0.1  # of the box's longer side, as in PCK@0.1


@pytest.fixture(scope="module")
def detector():
    return LandmarkDetector()


@pytest.fixture(scope="module")
def runners():
    """A rendered photo of two people running: (rgb, [(box, (17, 3) true points with visibility)])."""
    path = resource_path("sample", "photos", "track_run.jpg")
    truth = json.loads(resource_path("sample", "keypoints.json").read_text(encoding="utf-8"))
    [photo] = [image["id"] for image in truth["images"] if image["file_name"].endswith(path.name)]
    people = []
    for person in truth["annotations"]:
        if person["image_id"] == photo:
            x, y, width, height = person["bbox"]
            people.append((Box(x, y, x + width, y + height), np.array(person["keypoints"]).reshape(17, 3)))
    return read_image(path), people


def share_near(found, truth, box):
    """Share of the visible true points that were found near."""
    points, visible = truth[TO_17, :2], truth[TO_17, 2] == 2
    distance = np.linalg.norm(found.points_px[FROM_33] - points, axis=1)[visible]
    return (distance < NEAR * max(box.width, box.height)).mean()


def test_limbs_and_face_are_found_on_people_seen_whole(detector, runners):
    rgb, people = runners
    found = detector.detect(rgb, [box for box, _ in people])
    for one, (box, truth) in zip(found, people, strict=True):
        assert share_near(one, truth, box) > 0.9
        assert one.joint_set == "blazepose33"
        assert set(one.source) == {Provenance.MODEL}


def test_feet_belong_to_their_ankles(detector, runners):
    rgb, people = runners
    for one, (box, _) in zip(detector.detect(rgb, [box for box, _ in people]), people, strict=True):
        for side in ("left", "right"):
            ankle, heel, toe = (
                one.points_px[BLAZEPOSE33.index(f"{side}_{part}")] for part in ("ankle", "heel", "foot_index")
            )
            assert np.linalg.norm(heel - ankle) < NEAR * box.height
            assert np.linalg.norm(toe - ankle) < 1.5 * NEAR * box.height
            assert np.linalg.norm(toe - heel) > 0.01 * box.height


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_people_on_their_side_are_read_when_keypoints_say_how_they_lie(detector, runners, turn, quarter_turns):
    rgb, [(box, truth), *_] = runners
    size = (rgb.shape[1], rgb.shape[0])
    corners = turn(box.xyxy.reshape(2, 2), quarter_turns, size)
    turned_truth = np.column_stack([turn(truth[:, :2], quarter_turns, size), truth[:, 2]])
    turned_box = Box(*corners.min(axis=0), *corners.max(axis=0))
    turned = np.ascontiguousarray(np.rot90(rgb, quarter_turns))
    [found] = detector.detect(turned, [turned_box], KeypointDetector().detect(turned, [turned_box]))
    assert share_near(found, turned_truth, box) > 0.9


def test_both_networks_agree_on_whole_people(detector, runners):
    rgb, people = runners
    boxes = [box for box, _ in people]
    pairs = zip(detector.detect(rgb, boxes), KeypointDetector().detect(rgb, boxes), people, strict=True)
    for landmarks, keypoints, (box, _) in pairs:
        distance = np.linalg.norm(landmarks.points_px[FROM_33] - keypoints.points_px[TO_17], axis=1)
        assert np.median(distance) < 0.03 * box.height


def test_keypoints_of_another_number_of_people_are_refused(detector, portrait, portrait_box):
    with pytest.raises(ValueError, match="shorter"):
        detector.detect(portrait, [portrait_box], [])


def test_no_boxes_no_landmarks(detector, portrait):
    assert detector.detect(portrait, []) == []


@pytest.mark.parametrize("box", [Box(-300, -300, -100, -100), Box(0, 0, 0.5, 0.5), Box(-2000, -2000, 3000, 3000)])
def test_odd_boxes_are_no_error(detector, portrait, box):
    [found] = detector.detect(portrait, [box])
    assert np.isfinite(found.points_px).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
