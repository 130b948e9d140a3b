import json
import struct

import cv2
import numpy as np
import pytest

from cliff_core.errors import ImageError
from cliff_core.images import read_image
from cliff_core.video import extract_frames, read_index

WIDTH, HEIGHT, FRAMES, RATE = 64, 48, 30, 10
CORNER = 255  # red in the top left corner of each frame


def make_video(path, codec="MJPG", frames=FRAMES, rate=RATE):
    """A video whose green says the number of the frame."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), rate, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(frames):
        frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        frame[:16, :16, 2] = CORNER
        frame[24:, :, 1] = 8 * number
        writer.write(frame)
    writer.release()
    return path


def number_of(path):
    """The number of the frame, by its green."""
    return round(float(read_image(path)[-12:, :, 1].mean()) / 8)


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "été 100%.avi")


@pytest.mark.parametrize(
    ("rate", "numbers"),
    [(2, [0, 5, 10, 15, 20, 25]), (10, list(range(30))), (60, list(range(30))), (0.5, [0, 20]), (3, [0, 3, 7, 10, 13])],
)
def test_frames_are_those_at_the_chosen_times(video, tmp_path, rate, numbers):
    frames = extract_frames(video, tmp_path / "frames", rate)

    assert [number_of(frame) for frame in frames][: len(numbers)] == numbers
    assert len(frames) == {2: 6, 10: 30, 60: 30, 0.5: 2, 3: 9}[rate]
    assert frames[0].name == "été 100%_000001.jpg"


def test_the_index_says_where_each_frame_comes_from(video, tmp_path):
    frames = extract_frames(video, tmp_path / "frames", 2)

    index = read_index(tmp_path / "frames")

    assert [each["file"] for each in index["frames"]] == [frame.name for frame in frames]
    assert [each["number"] for each in index["frames"]] == [0, 5, 10, 15, 20, 25]
    assert [each["time_s"] for each in index["frames"]] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert (index["video"], index["frames_per_second"], index["complete"]) == (video.name, 2, True)
    assert index["note"] == ""


def test_a_video_that_lies_is_turned_as_its_file_says(tmp_path):
    path = make_video(tmp_path / "phone.mp4", "mp4v")
    content = bytearray(path.read_bytes())
    matrix = content.find(b"tkhd") + 4 + 4 + 20 + 8 + 8  # of the track's header
    one = 1 << 16
    content[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)  # a quarter turn clockwise
    path.write_bytes(content)

    (first, *_) = extract_frames(path, tmp_path / "frames", 1)

    rgb = read_image(first)
    assert rgb.shape == (WIDTH, HEIGHT, 3)
    assert rgb[4:12, -12:-4, 0].mean() > 200  # the corner came to the top right
    assert rgb[4:12, 4:12, 0].mean() < 50


def test_png_frames_have_no_loss(video, tmp_path):
    decoded = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG).read()[1]

    (frame, *_) = extract_frames(video, tmp_path / "frames", 1, suffix=".png")

    np.testing.assert_array_equal(read_image(frame), decoded[..., ::-1])


def test_what_was_interrupted_goes_on_where_it_was(video, tmp_path):
    answers = iter([False] * 12 + [True])
    some = extract_frames(video, tmp_path / "frames", 5, should_stop=lambda: next(answers))
    assert [number_of(frame) for frame in some] == [0, 2, 4, 6, 8, 10]
    assert not read_index(tmp_path / "frames")["complete"]
    before = [frame.stat().st_mtime_ns for frame in some]
    some[2].unlink()
    saved = []

    frames = extract_frames(video, tmp_path / "frames", 5, progress=lambda *what: saved.append(what))

    assert [number_of(frame) for frame in frames] == list(range(0, 30, 2))
    assert [f.stat().st_mtime_ns for f in (*frames[:2], *frames[3:6])] == [*before[:2], *before[3:]]
    assert saved[-1] == (29, 30, "été 100%_000015.jpg saved")
    assert extract_frames(video, tmp_path / "frames", 5, should_stop=lambda: pytest.fail("all is there")) == frames


def test_a_folder_of_another_video_or_rate_is_refused(video, tmp_path):
    extract_frames(video, tmp_path / "frames", 2)
    other = make_video(tmp_path / "other.avi")

    with pytest.raises(ImageError, match="frames: holds frames of another video; choose another folder"):
        extract_frames(other, tmp_path / "frames", 2)
    with pytest.raises(ImageError, match=r"holds frames of another wish .frames_per_second."):
        extract_frames(video, tmp_path / "frames", 3)


def test_a_video_that_is_cut_short_gives_what_it_has_and_says_so(video, tmp_path):
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])

    frames = extract_frames(video, tmp_path / "frames", 10)

    assert 3 < len(frames) < 20
    assert read_index(tmp_path / "frames")["note"].startswith("the video promises 30 frames, and ")


@pytest.mark.parametrize(
    "content", [b"", b"not a video" * 100, b"ffconcat version 1.0\nfile a.avi\n", b"#EXTM3U\na.avi\n"]
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path, content, capfd):
    make_video(tmp_path / "a.avi")
    (tmp_path / "some.mp4").write_bytes(content)

    with pytest.raises(ImageError, match=r"some\.mp4: no video that can be decoded .*; convert it to MP4"):
        extract_frames(tmp_path / "some.mp4", tmp_path / "frames", 1)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames_per_second": 0}, "0 frames per second are none"),
        ({"frames_per_second": float("nan")}, "nan frames per second are none"),
        ({"frames_per_second": 1, "suffix": ".gif"}, "cannot be saved as '.gif'; choose one of .jpg, .png"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(video, tmp_path, arguments, message):
    with pytest.raises(ImageError, match=message):
        extract_frames(video, tmp_path / "frames", **arguments)
    with pytest.raises(ImageError, match=r"absent\.avi: no such file"):
        extract_frames(tmp_path / "absent.avi", tmp_path / "frames", 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"frames": 3}', '{"frames": [{"file": "../a.jpg"}]}', "[" * 9999])
def test_a_damaged_index_is_refused(video, tmp_path, content):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "frames.json").write_text(content)

    with pytest.raises(ImageError, match=r"frames\.json: (damaged|no index).*delete the folder"):
        extract_frames(video, tmp_path / "frames", 1)


def test_a_place_that_cannot_be_written_is_named(video, tmp_path):
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(ImageError, match="taken.*cannot be written"):
        extract_frames(video, tmp_path / "taken" / "frames", 1)


def test_the_index_is_plain_json(video, tmp_path):
    extract_frames(video, tmp_path / "frames", 1)

    index = json.loads((tmp_path / "frames" / "frames.json").read_text(encoding="utf-8"))

    assert set(index) == {
        *("video", "size_bytes", "fingerprint", "frames_per_second", "suffix", "complete", "note", "frames")
    }
