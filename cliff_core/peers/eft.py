"""EFT: a fresh copy of the network per person, tuned on that person's 2D points (Joo, Neverova, Vedaldi 2021).

The prior is in the weights alone: nothing holds the body near the first prediction but that few small steps are taken.
Published settings (the paper's section 3.2 and the defaults of its code): Adam, one person at a time, loss
5 x mean squared 2D error in units of half a crop + 0.001 x mean squared betas + exp(-10 s)^2, normalisation and dropout
as in prediction, and a stop as soon as the 2D term is under 1e-4. Its learning rate of 5e-6 is for all weights of a
ResNet-50; here, as in our own loop, the head is tuned on features that were computed once, for which that rate is too
small by far, so ours was searched for on other people (`EftSettings`). Ours too is the camera: CLIFF's full frame,
where the paper has weak perspective in the crop. The paper leaves hips out because its points and its body disagree
there; here the body's own regressors give every point, so all count.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, regress
from cliff_core.peers.bodies import CropBodies
from cliff_core.training.losses import positive_scale_loss


@dataclass(frozen=True, slots=True)
class EftSettings:
    """How to tune.

    Attributes:
        learning_rate: of Adam; searched for (published: 5e-6, of a whole ResNet-50).
        steps: at most so many ("50 would be more than sufficient", says the published code).
        enough: stop when the 2D term is below it; published.
        keypoint_weight, betas_weight: of the loss; published.
    """

    learning_rate: float = 1e-4
    steps: int = 50
    enough: float = 1e-4
    keypoint_weight: float = 5.0
    betas_weight: float = 0.001


def fit_eft(
    model: nn.Module,
    body: TorchBody,
    crops: Crops,
    points: torch.Tensor,
    settings: EftSettings | None = None,
) -> CropBodies:
    """Tune and predict person by person.

    Args:
        model: official or open CLIFF; not changed.
        body: the model's body with the keypoints of "coco23".
        crops: N people with features; networks that take points are given theirs, if there are any.
        points: (N, 47, 3) that supervise: x, y in crop units and weight.
        settings: how.

    Returns:
        N bodies; people without points come back as the network predicts them.
    """
    settings = settings or EftSettings()
    tuned = copy.deepcopy(model).eval()
    parameters = [p for name, p in tuned.named_parameters() if not name.startswith(("trunk.", "encoder."))]
    for parameter in tuned.parameters():
        parameter.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    first = [parameter.detach().clone() for parameter in parameters]
    known = torch.cat([body.known["coco23"], torch.ones(24, dtype=torch.bool)])
    bodies = []
    for row in range(len(crops)):
        with torch.no_grad():
            for parameter, value in zip(parameters, first, strict=True):
                parameter.copy_(value)
        one = slice(row, row + 1)
        given = crops.points[one] if (crops.points[one, :, 2] > 0).any() else None
        bodies.append(
            _tune(
                tuned, parameters, body, crops.features[one], crops.bbox_info[one], points[one], known, given, settings
            )
        )
    return CropBodies.join(bodies)


def _tune(tuned, parameters, body, features, bbox_info, points, known, given, settings: EftSettings) -> CropBodies:
    """One person; the body of the last step that was measured."""
    weight = points[..., 2] * known
    used = [p for p in parameters if p.requires_grad]
    optimiser = torch.optim.Adam(used, settings.learning_rate)
    for step in range(settings.steps + 1):
        rotmat, betas, cam_crop = _predict(tuned, features, bbox_info, given)
        projected = project_to_crop(body(rotmat, betas).points(), cam_crop, bbox_info)
        off = (weight[..., None] * (projected - points[..., :2]).square()).mean()
        if step == settings.steps or not weight.any() or off.item() < settings.enough:
            break
        loss = settings.keypoint_weight * off + settings.betas_weight * betas.square().mean()
        optimiser.zero_grad()
        (loss + positive_scale_loss(cam_crop)).backward()
        optimiser.step()
    return CropBodies(rotmat.detach(), betas.detach(), cam_crop.detach())


def _predict(model, features, bbox_info, given):
    """With points only where there are any: an open CLIFF without them need not run its second half."""
    if given is None:
        return model.regress(features, bbox_info)
    return regress(model, features, bbox_info, given)
