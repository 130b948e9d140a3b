"""What holds for every file of 2D points: people come back as they were written, and any document is answered."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cliff_core.errors import CliffError
from cliff_core.formats import FORMATS, read, recognise, write
from cliff_core.formats.values import relative_name
from cliff_core.records import Box, Camera, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import JOINT_SETS, shared_points

OWN_SETS = {"coco": "coco17", "coco-wholebody": "coco23", "halpe": "halpe26", "openpose": "body25", "mpii": "mpii16"}
OWN_SETS |= {"coco-result": "coco17"}
KEEPS_HIDDEN = {"coco", "coco-wholebody", "halpe"}
TOLERANCE_PX = {"mpii": 1e-6}  # counts from 1: adding and taking away rounds

CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='/\\:"')
COORDINATES = st.floats(-1e5, 1e5, allow_subnormal=False)
NAMES = st.lists(st.text(CHARACTERS, min_size=1, max_size=9), min_size=1, max_size=3).map(
    lambda parts: "/".join(part if part.strip(".") else f"{part}x" for part in parts)
)

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@st.composite
def people(draw, joint_set=None, image_size=None):
    """A person with points of some set, at least two of them labelled and apart."""
    name = joint_set or draw(st.sampled_from(sorted(JOINT_SETS)))
    count = len(JOINT_SETS[name])
    points = np.array(draw(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=count, max_size=count)))
    points[:2] = [(10, 20), (40, 80)]
    visibility = np.array(draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    visibility[:2] = 2
    confidence = np.array(draw(st.lists(st.floats(0.01, 1), min_size=count, max_size=count)))
    sources = tuple(draw(st.lists(st.sampled_from(list(Provenance)), min_size=count, max_size=count)))
    x, y = draw(COORDINATES), draw(COORDINATES)
    box = Box(x, y, x + draw(st.floats(1, 1e5)), y + draw(st.floats(1, 1e5)))
    size = image_size or (draw(st.integers(1, 100_000)), draw(st.integers(1, 100_000)))
    camera = Camera(draw(st.floats(1, 1e5)), size) if draw(st.booleans()) else None
    keypoints = Keypoints(name, points, visibility, confidence, sources)
    return PhotoPerson(draw(NAMES), size, box, keypoints, camera, draw(st.integers(-1, 2**62)))


@pytest.mark.parametrize("name", OWN_SETS)
@quick
@given(data=st.data())
def test_people_come_back_as_they_were_written(tmp_path, name, data):
    before = data.draw(people(OWN_SETS[name]))
    path = tmp_path / "file.json"
    write(name, path, [before])

    annotations = read(path)

    assert recognise(path) == name
    (after,) = annotations.people
    assert (after.image_name, after.image_size_px) == (relative_name(before.image_name, ""), before.image_size_px)
    if before.annotation_id >= 0:
        assert after.annotation_id == before.annotation_id
    np.testing.assert_allclose(after.box.xyxy, before.box.xyxy, rtol=1e-12, atol=1e-9)
    assert after.keypoints.joint_set == OWN_SETS[name]
    shown = before.keypoints.visibility > 0
    assert (after.keypoints.visibility > 0).tolist() == shown.tolist()
    np.testing.assert_allclose(
        after.keypoints.points_px[shown], before.keypoints.points_px[shown], atol=TOLERANCE_PX.get(name, 0), rtol=0
    )
    if name in KEEPS_HIDDEN:
        assert after.keypoints.visibility.tolist() == before.keypoints.visibility.tolist()
        assert [s for s, v in zip(after.keypoints.source, shown, strict=True) if v] == [
            s for s, v in zip(before.keypoints.source, shown, strict=True) if v
        ]
        assert after.camera == before.camera
    if name != "mpii":
        np.testing.assert_array_equal(after.keypoints.confidence[shown], before.keypoints.confidence[shown])


@pytest.mark.parametrize("name", OWN_SETS)
@quick
@given(data=st.data())
def test_points_of_any_set_go_where_they_mean_the_same_place(tmp_path, name, data):
    before = data.draw(people())
    path = tmp_path / "file.json"
    write(name, path, [before])

    annotations = read(path, name)

    for after in annotations.people:
        source, target = shared_points(before.keypoints.joint_set, after.keypoints.joint_set)
        for a, b in zip(source, target, strict=True):
            assert (after.keypoints.visibility[b] > 0) == (before.keypoints.visibility[a] > 0)
            if before.keypoints.visibility[a]:
                np.testing.assert_allclose(
                    after.keypoints.points_px[b], before.keypoints.points_px[a], atol=1e-6, rtol=0
                )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=20,
)
ENTRIES = st.dictionaries(
    st.sampled_from(
        "id image_id category_id bbox keypoints iscrowd smpl foot_kpts file_name width height name image joints "
        "joints_vis center scale score keypoint_scores pose_keypoints_2d person_id keypoint_sources "
        "focal_length_px".split()
    ),
    VALUES | st.lists(st.floats() | st.integers(), max_size=80) | st.integers(0, 3),
    max_size=8,
)
TABLES = ("images", "annotations", "categories", "people")
DOCUMENTS = st.lists(ENTRIES, max_size=4) | st.fixed_dictionaries(
    {}, optional={key: st.lists(ENTRIES, max_size=3) | VALUES for key in TABLES}
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS | VALUES, name=st.sampled_from([None, *FORMATS]))
def test_any_document_is_read_or_refused(tmp_path, document, name):
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")

    message, annotations = "", None
    try:
        annotations = read(tmp_path / "a.json", name)
    except CliffError as error:
        message = str(error)

    assert "a.json" in message or annotations.report.read == len(annotations.people)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400), name=st.sampled_from([None, *FORMATS]))
def test_any_bytes_are_refused(tmp_path, content, name):
    assume(content.strip() != b"[]")  # a list of nobody is no nonsense
    (tmp_path / "a.bin").write_bytes(content)

    with pytest.raises(CliffError, match="a.bin"):
        read(tmp_path / "a.bin", name)
