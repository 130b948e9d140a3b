"""Predictions for the open benchmark, by every input that a model takes."""

import numpy as np
import pytest
import torch

from annotator.bench_prior import measure_prior
from cliff_core.body import load_body
from cliff_core.evaluation.points_only import POINT_ROWS, sample_points_only
from cliff_core.evaluation.prior import COCO, DETECTED, IMAGE, SMPL, predict_frame, predict_points_only
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.evaluation.scores import body_scores
from cliff_core.geometry.crop import crop_frame
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import OPEN_CROP
from cliff_core.records import SmplParams


@pytest.fixture(scope="module")
def frame():
    return RenderedBenchmark(seed=1).frame(2)


class Recorder(torch.nn.Module):
    """The bundled model, noting the points that it is asked about; `keypoints` says whether it takes any."""

    def __init__(self, keypoints):
        super().__init__()
        self.model = load_cliff()
        self.crop_spec, self.name, self.takes_keypoints = self.model.crop_spec, "recorder", keypoints
        self.asked = []

    def encode(self, images):
        return self.model.encode(images)

    def regress(self, features, bbox_info, points=None, placed=None):
        self.asked.append(points)
        return self.model.regress(features, bbox_info, points, placed)


def test_each_input_that_the_model_takes_is_tried(frame):
    plain, pointed = (Predictor(Recorder(keypoints), load_body()) for keypoints in (False, True))
    assert list(predict_frame(plain, None, frame)) == [IMAGE]
    bodies = predict_frame(pointed, None, frame)
    assert list(bodies) == [IMAGE, COCO, SMPL]
    assert all(len(estimates) == len(frame.people) for estimates in bodies.values())
    assert all(each.camera == frame.camera for each in bodies[IMAGE])
    nothing, coco, smpl = pointed.model.asked
    assert not nothing[..., 2].any()
    seen = np.stack([person.points.visibility > 0 for person in frame.people])
    np.testing.assert_array_equal(coco[:, :17, 2] > 0, seen[:, :17])
    assert not coco[:, 17:].any()
    known = np.stack([person.joints.visibility > 0 for person in frame.people])
    np.testing.assert_array_equal(smpl[:, POINT_ROWS["smpl24"], 2] > 0, known)
    assert not smpl[:, :23].any()
    centre, height = crop_frame(np.stack([box.xyxy for box in frame.boxes]), OPEN_CROP)
    units = to_crop_units(np.stack([person.joints.points_px for person in frame.people]), centre, height)
    np.testing.assert_allclose(smpl[:, POINT_ROWS["smpl24"], :2].numpy()[known], units[known], atol=1e-5)


def test_true_points_alone_beat_the_mean_body():
    people = sample_points_only(40, seed=3)
    model = load_cliff()
    predicted = predict_points_only(model, people, "coco17")
    assert len(predicted) == 40
    body = load_body()
    mean = [SmplParams(np.zeros((24, 3)), np.zeros(10), each.transl) for each in predicted]
    scores, baseline = (body_scores(body, these, people.truth)["pa_mpjpe_smpl14"] for these in (predicted, mean))
    assert scores.mean() < 0.75 * baseline.mean()
    depth = np.array([each.transl[2] for each in people.truth])
    assert np.median(np.abs([each.transl[2] for each in predicted] - depth) / depth) < 0.2


def test_the_benchmark_prints_a_table_and_gives_every_number():
    told = []
    rendered, points_only = measure_prior(0, lambda *news: told.append(news), rendered_people=5, points_only_people=20)
    assert rendered.people == 5
    assert list(rendered.rows) == [IMAGE, DETECTED, COCO, SMPL]
    assert "PA-MPJPE" in str(rendered)
    assert "15 deg off axis or more" in str(rendered)
    values = rendered.values() | points_only.values()
    whole = rendered.rows[IMAGE]["all"]["pve"]
    assert values[f"rendered, {IMAGE}, all, pve, mean"] == whole.mean
    assert whole.people == 5
    which = ("in the frame", "those outside too")
    assert list(points_only.rows) == [f"true {name}, {part}" for name in ("COCO-17", "SMPL-24") for part in which]
    assert told[-1][2] == "people without pixels"
    points = points_only.rows["true COCO-17, in the frame"]
    assert points["all"]["mpjpe_smpl14"].mean < rendered.rows[IMAGE]["all"]["mpjpe_smpl14"].mean
