import json

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import FormatError
from cliff_core.formats import EXPORTS, FORMATS, read, write
from cliff_core.images import write_image
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, SmplParams


def people():
    keypoints = Keypoints.uniform("coco17", np.full((17, 2), 40.0), np.full(17, 2))
    return [PhotoPerson("a.jpg", (640, 480), Box(10, 20, 110, 220), keypoints, annotation_id=3)]


def estimates():
    params = SmplParams(np.zeros((24, 3)), np.zeros(10), np.array([0.0, 0, 5]))
    return [Estimate(Box(10, 20, 110, 220), params, Camera.guess((640, 480)), np.array([1.0, 0, 0]))]


OF_POINTS: set[str] = {"openpose", "mpii", "coco-result"}  # formats that have no place for a body
ONE_FILE_EACH: dict[str, str] = {
    "openpose": ".json",
    "3dpw": ".pkl",
}  # formats of many files: the suffix that means a single one


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_recognised_by_content_alone(tmp_path, name):
    path = tmp_path / f"file.of.any.name{ONE_FILE_EACH.get(name, '')}"
    write_image(tmp_path / "a.jpg", np.zeros((480, 640, 3), dtype=np.uint8))
    write(name, path, people(), estimates(), load_body(), photos=tmp_path)
    renamed = path.rename(tmp_path / "some.thing")

    annotations = read(renamed)

    assert [person.image_name for person in annotations.people] == ["a.jpg"]
    assert [params is not None for params in annotations.params] == [name not in OF_POINTS]
    assert annotations.report.read == 1
    assert read(renamed, name).report.read == 1


def test_a_file_of_no_known_format_is_refused_with_the_formats_there_are(tmp_path):
    for content in (b"plain text", b"\x00\x01\x02", json.dumps({"version": 1.3, "people": []}).encode()):
        (tmp_path / "some.bin").write_bytes(content)
        with pytest.raises(FormatError, match=rf"some\.bin: of none of the known formats \({', '.join(FORMATS)}\)"):
            read(tmp_path / "some.bin")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file; export or copy it again"),
        (b"PK\x03\x04 and nothing behind", "ends before its table of contents; copy or download it again"),
        ("{}".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
    ],
)
def test_what_became_of_a_file_is_said_where_it_can_be_seen(tmp_path, content, what):
    (tmp_path / "some.bin").write_bytes(content)
    with pytest.raises(FormatError, match=rf"some\.bin: {what}"):
        read(tmp_path / "some.bin")


def test_broken_json_is_reported_as_such(tmp_path):
    (tmp_path / "some.json").write_text('{"images": [')

    with pytest.raises(FormatError, match="not valid JSON"):
        read(tmp_path / "some.json")


def test_an_unknown_format_is_refused_with_the_formats_there_are(tmp_path):
    with pytest.raises(FormatError, match=f"no format 'xml'; known are {', '.join(EXPORTS)}"):
        write("xml", tmp_path / "o.xml", [])
    (tmp_path / "o.xml").write_text("<xml/>")
    with pytest.raises(FormatError, match="no format 'xml'"):
        read(tmp_path / "o.xml", "xml")


def test_a_format_of_bodies_needs_bodies(tmp_path):
    with pytest.raises(FormatError, match="holds bodies; none were given"):
        write("cliff-gt", tmp_path / "o.npz", people())


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")

    with pytest.raises(FormatError, match=r"o\.json: cannot be written"):
        write("coco", tmp_path / "taken" / "o.json", people())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", ["", "{}", "null", '"people"', "7", '{"people": 3}'])
def test_a_file_of_nothing_is_no_file_of_nobody(tmp_path, name, content):
    (tmp_path / "some.file").write_text(content)

    with pytest.raises(FormatError, match=r"some\.file"):
        read(tmp_path / "some.file", name)
