import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from skimage import data

from cliff_core.errors import CheckpointError
from cliff_core.models.blazepose import FEATURE_SIZE, BlazePoseTrunk, state_dict_from_onnx
from cliff_core.resources import resource_path

TENSORS = ("Relu6__134:0", "Relu6__155:0", "Relu6__179:0", "Identity", "Identity_4")


@pytest.fixture(scope="module")
def trunk():
    module = BlazePoseTrunk()
    module.load_state_dict(state_dict_from_onnx(resource_path("detectors", "pose-landmark-full.onnx")))
    return module.eval()


@pytest.fixture(scope="module")
def published():
    """The ONNX network with its inner maps as outputs: image (256, 256, 3) -> five arrays."""
    model = onnx.load(resource_path("detectors", "pose-landmark-full.onnx"))
    for name in TENSORS[:3]:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda image: session.run(list(TENSORS), {"input_1": image[None]})


def pictures():
    astronaut = cv2.resize(data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.random((8, 8, 3), dtype=np.float32), (256, 256))
    return {"astronaut": astronaut, "noise": rng.random((256, 256, 3), dtype=np.float32), "smooth": smooth}


def as_batch(*images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["astronaut", "noise", "smooth"])
def test_maps_and_landmarks_equal_the_published_networks(trunk, published, name):
    image = pictures()[name]

    map8, map4, map2, landmarks, world = published(image)
    with torch.inference_mode():
        ours = trunk(as_batch(image))

    for mine, theirs in ((ours.map8, map8), (ours.map4, map4), (ours.map2, map2)):
        np.testing.assert_allclose(mine, theirs, atol=1e-3 * theirs.max())
    np.testing.assert_allclose(ours.landmarks, landmarks, atol=0.01)  # pixels of the crop
    np.testing.assert_allclose(ours.world, world, atol=1e-3 * np.abs(world).max())


def test_a_batch_gives_what_its_pictures_give_alone(trunk):
    images = list(pictures().values())

    with torch.inference_mode():
        together = trunk(as_batch(*images)).features()
        alone = torch.cat([trunk(as_batch(image)).features() for image in images])

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-3)


def test_features_are_coarse_maps_then_landmarks(trunk):
    with torch.inference_mode():
        output = trunk(as_batch(pictures()["astronaut"]))
    features = output.features()

    assert features.shape == (1, FEATURE_SIZE) == (1, 3768)
    torch.testing.assert_close(features[0, :1152], output.map2.reshape(-1))
    by_hand = output.map4.reshape(288, 2, 2, 2, 2).mean((2, 4)).reshape(-1)
    torch.testing.assert_close(features[0, 1152:2304], by_hand)
    by_hand = output.map8.reshape(288, 2, 4, 2, 4).mean((2, 4)).reshape(-1)
    torch.testing.assert_close(features[0, 2304:3456], by_hand)
    assert torch.equal(features[0, 3456:3651], output.landmarks[0])
    assert torch.equal(features[0, 3651:], output.world[0])


def test_every_weight_can_be_trained(trunk):
    trunk.zero_grad()
    trunk(as_batch(*pictures().values())).features().square().sum().backward()

    still = [name for name, weight in trunk.named_parameters() if weight.grad is None or not weight.grad.any()]
    trunk.zero_grad()
    assert still == []


def test_weights_survive_half_precision_unchanged(trunk):
    assert all(torch.equal(weight.half().float(), weight) for weight in trunk.state_dict().values())


def test_another_network_is_refused_by_name():
    with pytest.raises(CheckpointError, match=r"movenet.*not BlazePose-full's 73"):
        state_dict_from_onnx(resource_path("detectors", "movenet-thunder.onnx"))


def test_a_file_that_is_no_network_is_refused_by_name(tmp_path):
    (tmp_path / "trunk.onnx").write_text("these are not weights")

    with pytest.raises(CheckpointError, match=r"trunk\.onnx: not a readable ONNX file"):
        state_dict_from_onnx(tmp_path / "trunk.onnx")
    with pytest.raises(CheckpointError, match=r"absent\.onnx: not a readable ONNX file"):
        state_dict_from_onnx(tmp_path / "absent.onnx")
