"""What training reads of renders: the second take's labels, and early maps that give the trunk's own features."""

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.models.open_cliff import published_trunk
from cliff_core.skeletons import COCO23, SMPL24
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.shards import RenderSettings, load_crops, render_shards
from cliff_core.synthetic.takes import mirrored, second_take
from cliff_core.training.labels import label_people
from cliff_core.training.renders import open_renders

FLIP = [*COCO23.flip, *(len(COCO23) + SMPL24.flip)]


def _silent(done, total, text):
    pass


@pytest.fixture(scope="module")
def body():
    return TorchBody(load_body())


def test_the_second_take_shows_what_its_labels_say(body):
    """A dot drawn where a point projects is found where the second take's labels project that point."""
    rng = np.random.default_rng(0)
    people = sample_people(rng, PoseBank(), body, 8, 1.2)
    first = label_people(body, people)
    dots = (first.projected[:, 30].numpy() + 1) * 128  # a joint of the trunk, pixels of the crop
    y, x = np.mgrid[:256, :256] + 0.5
    crops = [np.rint(255 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / 18)).astype(np.uint8) for dot in dots]
    retaken, centres, heights = second_take(rng, [np.repeat(crop[..., None], 3, 2) for crop in crops], people)
    second = label_people(body, mirrored(people, centres, heights))
    expected = (second.projected[:, FLIP.index(30)].numpy() + 1) * 128
    for picture, place in zip(retaken, expected, strict=True):
        bright = np.clip(picture[..., 1].astype(float) - 60, 0, None) ** 2
        found = (bright * x).sum() / bright.sum(), (bright * y).sum() / bright.sum()
        np.testing.assert_allclose(found, place, atol=1.5)  # the body is symmetric to some millimetres only
    assert (second.inside[:, FLIP] == first.inside).float().mean() > 0.98


def test_maps_on_disk_give_the_features_of_the_crop(body, tmp_path):
    (path,) = render_shards(tmp_path, RenderSettings(shard_size=4), 4, 1, _silent)
    renders = open_renders([path], 2, True, body, 1, _silent)
    assert len(renders) == 8
    assert renders.detected.shape == (8, 47, 3)
    assert (renders.detected[:4, :17, 2] > 0).any()
    assert not renders.detected[4:].any()
    trunk = published_trunk()
    images = torch.from_numpy(np.stack(load_crops(path))).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        whole = trunk(images).map2
        late = trunk.late(renders.early(np.arange(4))).map2
    assert (late - whole).abs().mean() < 0.05 * whole.std()
    again = open_renders([path], 2, True, body, 1, _silent)
    assert torch.equal(again.early(np.array([1, 6])), renders.early(np.array([1, 6])))
