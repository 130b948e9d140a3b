"""KITRO: bone by bone along the kinematic tree, depths in closed form (Yang, Gu, Yao 2024), written anew.

A bone's end lies on its point's line of sight and on a sphere around the bone's beginning: two intersections, one
turned to the camera, one away. Which of the two each bone takes is decided for the whole tree at once: the likelihood
of a hypothesis is the product over bones of (cos + 1) / 2 between its direction and the prior's, the prior turned with
the bones above. Then joint after joint is swung (least rotation; twist stays) towards the chosen directions, a mixture
of chosen and present direction weighted by how well the prior agrees, and swung back where points come no nearer.
Ten loops of camera (least squares, half a step), shape (ten Adam steps of 0.1 on projected bone lengths) and pose: the
published numbers.

The paper has all 24 of SMPL's joints in 2D. Ours is what happens without: a joint that nobody marked but whose surface
point ("coco23") is known is looked for beside that, by as much as the present body's own two points differ; a bone
whose end is not known at all keeps its direction relative to the bone above.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from cliff_core.body.torch_body import TorchBody
from cliff_core.inference import Crops
from cliff_core.peers.bodies import CROP_PX, CropBodies, camera_of, crop_units_of, place_of, slopes_of
from cliff_core.skeletons import COCO23, SMPL24, SMPL_PARENTS

_CHILDREN = {joint: [child for child in range(1, 24) if SMPL_PARENTS[child] == joint] for joint in range(24)}
_TWINS = [
    (SMPL24.index(name), COCO23.index(name))
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for name in (f"left_{part}", f"right_{part}")
]
_LEAST_POINTS = 4  # to place a camera by
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class KitroSettings:
    """Published numbers.

    Attributes:
        loops: of camera, shape and pose.
        shape_steps, shape_step_size: of Adam in each loop.
    """

    loops: int = 10
    shape_steps: int = 10
    shape_step_size: float = 0.1


def fit_kitro(
    body: TorchBody, crops: Crops, points: Tensor, start: CropBodies, settings: KitroSettings | None = None
) -> CropBodies:
    """Refine N predictions.

    Args:
        body: with the keypoints of "coco23".
        crops: who.
        points: (N, 47, 3) x, y in crop units and confidence; it does not weigh by confidence, a point is there or not.
        start: the prior.
        settings: how.
    """
    settings = settings or KitroSettings()
    tree = _Tree(copy.deepcopy(body).double(), crops.bbox_info.double(), points.double())
    prior = start.rotmat.double()
    rotmat, betas = prior, start.betas.double()
    transl = place_of(start.cam_crop.double(), tree.bbox_info)
    for _ in range(settings.loops):
        target, known = tree.targets(rotmat, betas, transl)
        transl = (transl + tree.placed(rotmat, betas, transl, target, known)) / 2
        betas = tree.shaped(rotmat, betas, transl, target, known, settings)
        target, known = tree.targets(rotmat, betas, transl)
        sides = tree.best_sides(prior, rotmat, betas, transl, target, known)
        rotmat = tree.swung(prior, rotmat, betas, transl, target, known, sides)
    return CropBodies(rotmat.float(), betas.float(), camera_of(transl, tree.bbox_info).float())


class _Tree:
    """People, their points, and the steps of a loop; everything in float64, 2D as slopes x / z and y / z."""

    def __init__(self, body: TorchBody, bbox_info: Tensor, points: Tensor):
        self.body, self.bbox_info = body, bbox_info
        self.slopes, self.marked = slopes_of(points[..., :2], bbox_info), points[..., 2] > 0
        self.marked[:, : len(COCO23)] &= body.known["coco23"]

    def _joints(self, rotmat, betas) -> tuple[Tensor, Tensor]:
        """(N, 24, 3) joints without translation and (N, 24, 3, 3) global rotations."""
        rest = self.body.joint_template + (betas @ self.body.joint_shapedirs).view(-1, 24, 3)
        return self.body.kinematics(rotmat, rest)

    def targets(self, rotmat, betas, transl) -> tuple[Tensor, Tensor]:
        """(N, 24, 2) where SMPL's joints are seen, and (N, 24) which are."""
        split = len(COCO23)
        target, known = self.slopes[:, split:].clone(), self.marked[:, split:].clone()
        surface = self.marked[:, :split]
        if not (surface.any() and not known.all()):
            return target, known
        seen = _slopes(self.body(rotmat, betas, transl).points())
        for joint, twin in _TWINS:
            instead = surface[:, twin] & ~known[:, joint]
            moved = self.slopes[:, twin] + seen[:, split + joint] - seen[:, twin]
            target[:, joint] = torch.where(instead[:, None], moved, target[:, joint])
            known[:, joint] |= instead
        return target, known

    def placed(self, rotmat, betas, transl, target, known) -> Tensor:
        """(N, 3) translations whose lines of sight pass nearest to the joints; as they were for people with few points.

        (X + t_x) = u (Z + t_z) is linear in t.
        """
        joints, _ = self._joints(rotmat, betas)
        rows = torch.zeros(*known.shape, 2, 3, dtype=joints.dtype)
        rows[..., 0, 0] = rows[..., 1, 1] = 1.0
        rows[..., 2] = -target
        right = target * joints[..., 2:] - joints[..., :2]
        rows, right = (rows * known[..., None, None]).flatten(1, 2), (right * known[..., None]).flatten(1)
        normal = rows.mT @ rows + _TINY * torch.eye(3, dtype=rows.dtype)
        found = torch.linalg.solve(normal, (rows.mT @ right[..., None])[..., 0])
        usable = (known.sum(1) >= _LEAST_POINTS) & (found[:, 2] > 0) & torch.isfinite(found).all(1)
        return torch.where(usable[:, None], found, transl)

    def shaped(self, rotmat, betas, transl, target, known, settings: KitroSettings) -> Tensor:
        """Betas a few steps nearer to the projected lengths of bones whose both ends are seen."""
        parents = torch.as_tensor(SMPL_PARENTS[1:])
        both = known[:, 1:] & known[:, parents]

        def lengths(slopes):
            pixels = crop_units_of(slopes, self.bbox_info) * (CROP_PX / 2)
            return (pixels[:, 1:] - pixels[:, parents]).norm(dim=-1)

        wanted = lengths(target)
        free = betas.detach().clone().requires_grad_(True)
        optimiser = torch.optim.Adam([free], settings.shape_step_size)
        with torch.enable_grad():
            for _ in range(settings.shape_steps):
                joints, _ = self._joints(rotmat, free)
                loss = ((lengths(_slopes(joints + transl[:, None])) - wanted).abs() * both).sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        return free.detach()

    def best_sides(self, prior, rotmat, betas, transl, target, known) -> Tensor:
        """(N, 24) 0 or 1: the side of every bone, by its end, on the likeliest path through the tree."""
        joints, _ = self._joints(rotmat, betas)
        reference, _ = self._joints(prior, betas)
        search = _Search(target, known, _bones(joints).norm(dim=-1), _bones(reference))
        root = (joints[:, 0] + transl)[:, None]
        turn = torch.eye(3, dtype=joints.dtype).expand(len(joints), 1, 3, 3)
        _, picks = search.below(0, root, turn)
        sides = torch.zeros(known.shape, dtype=torch.int64)
        for joint, pick in picks.items():
            sides[:, joint] = pick[:, 0]
        return sides

    def swung(self, prior, rotmat, betas, transl, target, known, sides) -> Tensor:
        """Rotations, swung joint after joint towards the chosen sides; what brings points no nearer is undone."""
        done: list[int] = []
        rotmat = rotmat.clone()
        for joint, children in _CHILDREN.items():
            if not children:
                continue
            done += children
            joints, rotations = self._joints(rotmat, betas)
            # what the prior says of these bones, once the joints above have their new rotations
            reference, _ = self._joints(torch.cat([rotmat[:, :joint], prior[:, joint:]], 1), betas)
            present = torch.stack([joints[:, child] - joints[:, joint] for child in children], 1)
            start = joints[:, joint] + transl
            wanted = []
            for number, child in enumerate(children):
                shift = torch.where(known[:, joint, None], start[:, :2] / start[:, 2:] - target[:, joint], 0.0)
                bone = present[:, number]
                two = _two_sides(start[:, None], target[:, None, child] + shift[:, None], bone.norm(dim=-1)[:, None])
                two = two[:, 0]
                agrees = torch.cosine_similarity(two, (reference[:, child] - reference[:, joint])[:, None], dim=-1)
                chosen = sides[:, child, None]
                trust = agrees.softmax(1).gather(1, chosen)
                mixed = trust * two[torch.arange(len(two)), chosen[:, 0]] + (1 - trust) * bone
                wanted.append(torch.where(known[:, child, None], mixed, bone))
            swing = _swing(present[:, 0], wanted[0]) if len(children) == 1 else _turn(present, torch.stack(wanted, 1))
            above = rotations[:, SMPL_PARENTS[joint]] if joint else torch.eye(3, dtype=rotmat.dtype).expand_as(swing)
            changed = rotmat.clone()
            changed[:, joint] = above.mT @ swing @ above @ rotmat[:, joint]
            off = [self._off(each, betas, transl, target, known, joint, done) for each in (rotmat, changed)]
            rotmat = torch.where((off[1] < off[0])[:, None, None, None], changed, rotmat)
        return rotmat

    def _off(self, rotmat, betas, transl, target, known, joint, which) -> Tensor:
        """(N,) squared 2D error of some joints after moving another one onto its point."""
        joints, _ = self._joints(rotmat, betas)
        seen = _slopes(joints + transl[:, None])
        shift = torch.where(known[:, joint, None], seen[:, joint] - target[:, joint], 0.0)
        off = (seen[:, which] - target[:, which] - shift[:, None]).square().sum(-1)
        return (off * known[:, which]).sum(1)


class _Search:
    """The decision tree of N people: every bone has two sides, and a hypothesis is a path of them.

    Args:
        target: (N, 24, 2) slopes of the points.
        known: (N, 24) which there are.
        lengths: (N, 24) of the bones by their ends, metres.
        reference: (N, 24, 3) the prior's bones.
    """

    def __init__(self, target: Tensor, known: Tensor, lengths: Tensor, reference: Tensor):
        self.target, self.known, self.lengths, self.reference = target, known, lengths, reference

    def below(self, joint: int, at: Tensor, turn: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """The best that can hang on a joint.

        Args:
            joint: whose children are decided.
            at: (N, H, 3) where it is in each of H hypotheses.
            turn: (N, H, 3, 3) how far the bones above are turned from the prior.

        Returns:
            (N, H) likelihood of all bones below, and the sides they take: end -> (N, H).
        """
        count, paths = at.shape[:2]
        likelihood, picks = at.new_ones(count, paths), dict[int, Tensor]()
        for child in _CHILDREN[joint]:
            known = self.known[:, child, None, None, None]
            usual = (turn @ self.reference[:, child, None, :, None])[..., 0]
            shift = torch.where(
                self.known[:, joint, None, None], _slopes(at) - self.target[:, joint, None], at.new_zeros(())
            )
            two = _two_sides(at, self.target[:, child, None] + shift, self.lengths[:, child, None])
            two = torch.where(known, two, usual[:, :, None])
            edge = (torch.cosine_similarity(two, usual[:, :, None], dim=-1) + 1) / 2
            if _CHILDREN[child]:
                turned = _swing(usual[:, :, None].expand_as(two), two) @ turn[:, :, None]
                further, deeper = self.below(child, (at[:, :, None] + two).flatten(1, 2), turned.flatten(1, 2))
                edge = edge * further.view(count, paths, 2)
            else:
                deeper = {}
            best, pick = edge.max(2)
            likelihood = likelihood * best
            picks[child] = pick
            for end, side in deeper.items():
                picks[end] = side.view(count, paths, 2).gather(2, pick[..., None])[..., 0]
        return likelihood, picks


def _slopes(points: Tensor) -> Tensor:
    return points[..., :2] / points[..., 2:].clamp(min=1e-3)


def _bones(joints: Tensor) -> Tensor:
    """(N, 24, 3) from every joint's parent to it; the pelvis has none."""
    parents = torch.as_tensor(SMPL_PARENTS).clamp(min=0)
    return joints - joints[:, parents]


def _two_sides(start: Tensor, slopes: Tensor, length: Tensor) -> Tensor:
    """Bones from a beginning to the two points of a line of sight at their length, or to the nearest one.

    Args:
        start: (N, H, 3) beginnings; slopes: (N, H, 2) of the ends; length: (N, 1) or (N, H).

    Returns:
        (N, H, 2, 3), the farther end first.
    """
    sight = torch.nn.functional.normalize(torch.cat([slopes, torch.ones_like(slopes[..., :1])], -1), dim=-1)
    along = (start * sight).sum(-1, keepdim=True)
    foot = along * sight - start
    half = (length[..., None].square() - foot.square().sum(-1, keepdim=True)).clamp(min=0).sqrt() * sight
    return torch.stack([foot + half, foot - half], -2)


def _swing(first: Tensor, second: Tensor) -> Tensor:
    """(..., 3, 3) least rotation that turns directions (..., 3) into others."""
    a, b = (torch.nn.functional.normalize(each, dim=-1) for each in (first, second))
    axis, cos = torch.linalg.cross(a, b, dim=-1), (a * b).sum(-1)[..., None, None]
    zero = torch.zeros_like(axis[..., 0])
    x, y, z = axis.unbind(-1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.eye(3, dtype=a.dtype) + cross + cross @ cross / (1 + cos).clamp(min=1e-6)


def _turn(first: Tensor, second: Tensor) -> Tensor:
    """(N, 3, 3) rotation that best turns (N, K, 3) vectors into others (Kabsch)."""
    u, _, v = torch.linalg.svd(first.mT @ second)
    sign = torch.linalg.det(u @ v).sign()
    mirror = torch.diag_embed(torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], -1))
    return (u @ mirror @ v).mT
