"""A depthwise convolution that a CPU can train through."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Depthwise(nn.Conv2d):
    """One kernel per channel, of odd size, padded to keep the map's size at stride 1.

    Libraries compute the gradient of depthwise kernels, and with it that of their inputs, many times slower than the
    layer itself. While the kernels are held fixed (`weight.requires_grad_(False)`), the gradient of the inputs is
    computed as what it is, the same kind of layer again with each kernel turned around: on two cores a step through
    the late layers of the trunk took 11 ms a crop instead of 24.
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1, padding: int | None = None):
        super().__init__(
            channels, channels, kernel, stride, kernel // 2 if padding is None else padding, groups=channels
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / stride, W / stride)."""
        if self.weight.requires_grad or not torch.is_grad_enabled():
            return super().forward(x)
        return _FixedKernels.apply(x, self.weight, self.bias, self.stride[0], self.padding[0])


class _FixedKernels(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, stride, padding):
        ctx.save_for_backward(weight)
        ctx.size, ctx.stride, ctx.padding = x.shape[2:], stride, padding
        return functional.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx, gradient):
        (weight,) = ctx.saved_tensors
        kernel = weight.shape[-1]
        bias_gradient = gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        if ctx.stride > 1:  # between the places where the kernel was put, the gradient is zero
            rows, columns = (side + 2 * ctx.padding - kernel + 1 for side in ctx.size)
            spread = gradient.new_zeros(*gradient.shape[:2], rows, columns)
            spread = spread.contiguous(memory_format=torch.channels_last)
            spread[:, :, :: ctx.stride, :: ctx.stride] = gradient
            gradient = spread
        turned = weight.to(gradient.dtype).flip(-1, -2)
        inputs = functional.conv2d(gradient, turned, None, 1, kernel - 1 - ctx.padding, groups=len(weight))
        return inputs, None, bias_gradient, None, None
