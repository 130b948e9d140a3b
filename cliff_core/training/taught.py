"""The people who supervise a fine-tuning: what the network is given of them, and what is kept from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cliff_core.execution.rows import Rows
from cliff_core.training.supervision import AnyEdits

CHUNK = 64
"""People at once where no gradient is needed; the numbers of more leave the processor's cache."""


@dataclass(frozen=True)
class Taught:
    """N people who supervise.

    Attributes:
        rows: (N,) their numbers among everybody.
        features: (M, F) of everybody, in memory or in a file.
        bbox_info: (M, 3), points: (M, 47, 3), placed: (M,) bool whose points were placed, of everybody.
        weight: (M, 47) how far each point supervises, of everybody.
        known: (47,) bool, which points the body knows.
        edits: what annotators set, of everybody.
    """

    rows: torch.Tensor
    features: Rows
    bbox_info: torch.Tensor
    points: torch.Tensor
    placed: torch.Tensor
    weight: torch.Tensor
    known: torch.Tensor
    edits: AnyEdits

    def __len__(self) -> int:
        return len(self.rows)

    def given(self, some: torch.Tensor, withheld: torch.Tensor | None) -> torch.Tensor:
        """(n, 47, 3) the points of some of the N that the network is given."""
        points = known_points(self.points[self.rows[some]], self.known)
        return points if withheld is None else points.masked_fill(withheld[some][..., None], 0.0)

    def draw_withheld(self, share: float, seed: int) -> torch.Tensor:
        """(N, 47) bool: a random share of each person's points that supervise, at least one, never more than half."""
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.zeros(len(self), self.weight.shape[1], dtype=torch.bool)
        for some in torch.arange(len(self)).split(CHUNK):
            marked = self.weight[self.rows[some]] > 0
            rank = torch.where(marked, torch.rand(marked.shape, generator=generator), 2.0).argsort(1).argsort(1)
            count = marked.sum(1, keepdim=True)
            take = torch.minimum((count * share).round().clamp(min=1), count // 2)
            drawn[some] = marked & (rank < take)
        return drawn


def known_points(points: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """(n, 47, 3) points without those that a body does not know; a copy."""
    return torch.cat([points[..., :2], (points[..., 2] * known)[..., None]], -1)
