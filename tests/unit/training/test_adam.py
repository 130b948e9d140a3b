"""Our Adam takes the steps of torch's."""

import subprocess
import sys

import torch
from torch import nn

from cliff_core.training.adam import Adam


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(7, size, generator=generator)) for size in (5, 3, 4)]


def give_gradients(some: list[nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for each in some[: 2 if step == 3 else 3]:
        each.grad = torch.randn(each.shape, generator=generator)


def test_its_steps_are_those_of_torch_to_the_bit_also_after_it_was_taken_up_again():
    theirs, ours = parameters(), parameters()
    reference, adam = torch.optim.Adam(theirs, 1e-3, fused=True), Adam(ours, 1e-3)
    for step in range(8):
        for some, clear in ((theirs, reference.zero_grad), (ours, adam.clear)):
            clear()
            give_gradients(some, step)
        reference.step()
        adam.step()
        if step == 4:
            state, adam = adam.state(), Adam(ours, 1e-3)
            adam.go_on_from(state)
    assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))


def test_it_does_not_load_the_compiler():
    told = "import sys, torch; from cliff_core.training.adam import Adam; p = torch.nn.Parameter(torch.ones(3)); "
    told += "p.grad = p * 2; a = Adam([p], 0.1); a.step(); a.clear(); print('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout.strip() == "False"
