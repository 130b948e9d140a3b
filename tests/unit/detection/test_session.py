import shutil

import pytest

from cliff_core.detection.session import load_session
from cliff_core.errors import ResourceError
from cliff_core.resources import resource_path


@pytest.fixture
def other_resources(tmp_path, monkeypatch):
    """An own resource folder with a umlaut in its name, and sessions of this test only."""
    folder = tmp_path / "Büro" / "detectors"
    folder.mkdir(parents=True)
    real = resource_path("detectors", "movenet-thunder.onnx")
    monkeypatch.setenv("CLIFF_RESOURCES", str(folder.parent))
    load_session.cache_clear()
    yield folder, real
    load_session.cache_clear()


def test_one_session_serves_all_who_ask_alike(other_resources):
    folder, real = other_resources
    shutil.copy(real, folder / "model.onnx")
    assert load_session("model.onnx") is load_session("model.onnx")
    assert load_session("model.onnx", 2) is not load_session("model.onnx")


def test_a_missing_model_is_named(other_resources):
    with pytest.raises(ResourceError, match=r"model\.onnx"):
        load_session("model.onnx")


@pytest.mark.parametrize("keep", [0, 1000, 3_000_000])
def test_a_damaged_model_is_named_with_the_remedy(other_resources, capfd, keep):
    folder, real = other_resources
    (folder / "model.onnx").write_bytes(real.read_bytes()[:keep])
    with pytest.raises(ResourceError, match=r"model\.onnx: damaged .*git checkout"):
        load_session("model.onnx")
    assert capfd.readouterr() == ("", "")
