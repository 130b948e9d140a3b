"""The project that refining is measured on is a real one, and what is said of how it is made is so."""

import numpy as np
import pytest

from annotator.bench_project import fill_cache, make_project, sample_templates
from annotator.bench_refine import RefineSettings, _with_small_head, measure_refine
from annotator.project.integrity import check_project
from annotator.refine_cast import gather_cast
from annotator.runs import JobRequest, News, RunFolder
from cliff_core.body import load_body
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.inference import Predictor


def silent(done, total, text):
    pass


def test_people_and_photos_are_what_they_are_said_to_be(tmp_path):
    with make_project(tmp_path / "project", 45, seed=0, progress=silent) as project:
        in_sample = sum(len(each.boxes) for each in sample_templates())
        photos, people = list(project.photos()), list(project.people())
        assert len(people) >= 45
        assert len({photo.sha256 for photo in photos}) == len(photos)  # each copy is a photo of its own
        assert all(project.photo_file(photo.id).is_file() for photo in photos)
        assert all(person.keypoints("coco17") is not None and person.body is None for person in people)
        first, again = (people[row].keypoints("coco17").points_px for row in (0, in_sample))
        assert 0.1 < np.abs(first - again).max() < 10.0  # the same points with other noise
    assert check_project(tmp_path / "project").healthy


@pytest.fixture(scope="module")
def predictor():
    return Predictor(_with_small_head(), load_body())


def test_people_whose_features_are_filled_in_are_not_looked_at(tmp_path, predictor):
    with make_project(tmp_path / "project", 30, seed=0, progress=silent, with_files=False) as project:
        run = RunFolder.create(project.folder, JobRequest("refine"))
        news = News(run)
        with ArrayCache(tmp_path / "features.cache", 1 << 30) as cache:
            filled = fill_cache(project, predictor, cache, seed=0, progress=silent)
            cast = gather_cast(
                project, predictor, cache, tmp_path / "features.rows", detected_trust=0.0, workers=1, news=news
            )
        news.close()
        assert len(cast) == filled == len(list(project.people()))
        assert cast.refused == []  # there are no files: whom it would look at, it would refuse
        assert len(cast.known.crops.features) == filled
        assert cast.known.token
        cast.known.crops.features.close()


@pytest.mark.slow
def test_refining_is_measured_in_all_its_parts(tmp_path):
    settings = RefineSettings(people=6, epochs=1, small=40, large=400, many=12)
    numbers = measure_refine(tmp_path / "bench", settings, 0, silent)
    values = numbers.values
    assert values["2 workers against 1, largest difference"] < 1e-4
    assert values.get("ray against local, largest difference", 0.0) < 1e-5
    small, large = (values[f"refine, {people} people, MB"] for people in (40, 400))
    assert large < 1.1 * small
    assert all(np.isfinite(value) and value != 0 for name, value in values.items() if "difference" not in name)
    assert values["many, largest difference"] < 1e-4
    assert "workers against one" in numbers.summary
    assert "times as fast" in numbers.summary
    assert "kB a person" in numbers.summary
