"""The depthwise layer: with fixed kernels, its gradients are those of the library, at every stride and padding."""

import pytest
import torch
from torch.nn import functional

from cliff_core.models.depthwise import Depthwise


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, None), (5, 1, None), (3, 2, None), (5, 2, None), (3, 2, 0)]
)
def test_gradients_through_fixed_kernels_are_exact(kernel, stride, padding):
    torch.manual_seed(0)
    layer = Depthwise(6, kernel, stride, padding).double()
    x = torch.randn(2, 6, 11, 12, dtype=torch.float64, requires_grad=True)
    expected = functional.conv2d(x, layer.weight, layer.bias, stride, layer.padding, groups=6)
    weights = torch.randn_like(expected)
    want = torch.autograd.grad((expected * weights).sum(), [x, layer.bias])
    layer.weight.requires_grad_(False)
    out = layer(x)
    torch.testing.assert_close(out, expected)
    for mine, theirs in zip(torch.autograd.grad((out * weights).sum(), [x, layer.bias]), want, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_kernels_that_learn_get_their_gradient():
    layer = Depthwise(3, 3)
    layer(torch.ones(1, 3, 4, 4)).sum().backward()
    assert (layer.weight.grad.abs() > 0).all()
