"""One body from two ways of following the same points: from what the image says, and from nothing.

Following ends in the nearest body that explains the points, and what the image says can be the wrong side of a person.
Which of the two bodies explains the points better, and which is nearer to what the image says, tells how much to
believe each; what is believed is their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from cliff_core.models.open_cliff import Regressed

_LEAST_ERROR = 2 / 128  # crop units; what following leaves even where points are exact
_OUTLIER = 8.0  # errors beyond so many times what is usual say nothing more
_NATS_A_METRE = 160.0  # away from what the image says, mean of the joints about the pelvis
_TEMPER = 4.0  # points of a person are wrong together: their nats count so many times less


def believed(
    first: Regressed, second: Regressed, seen: Regressed, points: torch.Tensor, error: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What to believe of B people.

    Args:
        first, second: bodies that follow the same points.
        seen: what the image says.
        points: (B, 47, 2) in crop units.
        error: (B, 47) how far off they usually are, crop units; infinite where missing.

    Returns:
        (B, 144) pose in 6D, (B, 10) betas and (B, 3) crop cameras.
    """
    share = ((_doubt(first, seen, points, error) - _doubt(second, seen, points, error)) / _TEMPER).sigmoid()

    def mean(name: str) -> torch.Tensor:
        one, other = getattr(first, name), getattr(second, name)
        return torch.lerp(one, other, share.view(-1, *[1] * (one.dim() - 1)))

    return mean("rotmat")[..., :2].flatten(1), mean("betas"), mean("cam_crop")


def _doubt(body: Regressed, seen: Regressed, points: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """(B,) nats against a body."""
    usual = error.square() + _LEAST_ERROR**2
    misses = (body.projected - points).square().sum(-1) / usual  # nothing where a point is missing
    away = (_about_pelvis(body) - _about_pelvis(seen)).norm(dim=-1).mean(1)
    return 0.5 * misses.clamp(max=_OUTLIER**2).sum(1) + _NATS_A_METRE * away


def _about_pelvis(body: Regressed) -> torch.Tensor:
    return body.joints - body.joints[:, :1]
