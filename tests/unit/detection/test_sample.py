"""Detection on the sample's rendered photos, whose people are known exactly."""

import json
from pathlib import PurePosixPath

import numpy as np
import pytest

from cliff_core.detection import KeypointDetector, PersonDetector
from cliff_core.detection.overlaps import pairwise_iou
from cliff_core.images import read_image
from cliff_core.records import Box
from cliff_core.resources import resource_path


@pytest.fixture(scope="module")
def photos():
    """[(rgb, boxes, points (N, 17, 3))] of the photos with people who are at least 60 pixels high."""
    truth = json.loads(resource_path("sample", "keypoints.json").read_text(encoding="utf-8"))
    people = {}
    for person in truth["annotations"]:
        x, y, width, height = person["bbox"]
        if height >= 60:
            box, points = Box(x, y, x + width, y + height), np.array(person["keypoints"]).reshape(17, 3)
            people.setdefault(person["image_id"], []).append((box, points))
    names = {image["id"]: PurePosixPath(image["file_name"]).name for image in truth["images"]}
    return [
        (read_image(resource_path("sample", "photos", names[photo])), [b for b, _ in group], [p for _, p in group])
        for photo, group in people.items()
    ]


def test_nearly_everybody_is_boxed_and_nearly_nothing_else(photos):
    detector, known, hit, extra = PersonDetector(), 0, 0, 0
    for rgb, boxes, _ in photos:
        found = detector.detect(rgb)
        overlap = (
            pairwise_iou(np.array([b.xyxy for b in boxes]), np.array([b.xyxy for b in found]).reshape(-1, 4)) > 0.5
        )
        known += len(boxes)
        hit += overlap.any(axis=1).sum()
        extra += (~overlap.any(axis=0)).sum()
    assert hit / known > 0.9
    assert extra <= 0.1 * len(photos) + 1


def test_nearly_all_visible_points_are_near(photos):
    detector, near = KeypointDetector(), []
    for rgb, boxes, people in photos:
        for found, box, points in zip(detector.detect(rgb, boxes), boxes, people, strict=True):
            distance = np.linalg.norm(found.points_px - points[:, :2], axis=1)[points[:, 2] == 2]
            near += list(distance < 0.1 * max(box.width, box.height))
    assert np.mean(near) > 0.95
