"""Where networks compute, and in which precision."""

import pytest
import torch

from cliff_core.execution.device import Precision, choose_compute, has_native_bfloat16

on_a_processor = pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a CUDA device")


def test_float32_is_what_one_gets_without_asking():
    compute = choose_compute()
    assert compute.precision is Precision.FLOAT32
    assert compute.dtype is torch.float32


@on_a_processor
@pytest.mark.parametrize(("native", "precision"), [(True, Precision.BFLOAT16), (False, Precision.FLOAT32)])
def test_bfloat16_is_used_only_where_the_processor_has_it(monkeypatch, native, precision):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    compute = choose_compute(Precision.BFLOAT16)
    assert (compute.device, compute.precision) == ("cpu", precision)


def test_a_torch_that_cannot_tell_means_no(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert has_native_bfloat16("cpu") is False
