"""A project's photos are dealt so that somebody who waits sees the first bodies at once, and the rest comes quickly."""

import numpy as np
import pytest

from annotator.project import create_project
from annotator.propose import pieces_of
from cliff_core.images import write_image

PHOTOS = 40


@pytest.fixture
def project(tmp_path):
    for number in range(PHOTOS):
        write_image(tmp_path / "photos" / f"{number:02}.png", np.full((20, 30, 3), number, dtype=np.uint8))
    made, _ = create_project(tmp_path / "project", tmp_path / "photos")
    with made:
        yield made


def planned(project):
    return [(photo.id, None) for photo in project.photos()]


def test_the_first_photo_of_each_worker_goes_alone_and_the_rest_in_handfuls(project):
    pieces = list(pieces_of(project, planned(project), "v", workers=2))
    assert [len(piece.tasks) for piece in pieces[:3]] == [1, 1, 5]
    assert [task.photo.id for piece in pieces for task in piece.tasks] == [number for number, _ in planned(project)]


def test_a_resumed_job_finds_the_same_pieces(project):
    def names():
        return [piece.name for piece in pieces_of(project, planned(project), "v", workers=2)]

    assert names() == names()
    assert len(set(names())) == len(names())


def test_fewer_photos_than_workers_are_all_there(project):
    assert [len(piece.tasks) for piece in pieces_of(project, planned(project)[:2], "v", workers=4)] == [1, 1]
