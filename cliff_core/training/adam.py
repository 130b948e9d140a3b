"""Adam for the fine-tuning: the steps of `torch.optim.Adam(fused=True)`, to the bit.

That class loads torch's compiler when it is first made, a second or more of each process, and nothing here is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.adam import adam


class Adam:
    """Steps down the gradients of some parameters.

    Args:
        parameters: to change; those without a gradient stay.
        learning_rate: of each step.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], learning_rate: float):
        self._parameters, self._rate = list(parameters), learning_rate
        self._means = [torch.zeros_like(each) for each in self._parameters]
        self._squares = [torch.zeros_like(each) for each in self._parameters]
        self._steps = [torch.zeros(()) for _ in self._parameters]

    def clear(self) -> None:
        """Forget the gradients."""
        for each in self._parameters:
            each.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step."""
        rows = [row for row, each in enumerate(self._parameters) if each.grad is not None]
        adam(
            [self._parameters[row] for row in rows],
            [self._parameters[row].grad for row in rows],
            [self._means[row] for row in rows],
            [self._squares[row] for row in rows],
            [],
            [self._steps[row] for row in rows],
            fused=True,  # a third of the time
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def state(self) -> dict[str, Any]:
        """What a second start needs beside the parameters."""
        return {"means": self._means, "squares": self._squares, "steps": self._steps}

    def go_on_from(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._means, self._squares, self._steps = (list(state[name]) for name in ("means", "squares", "steps"))
