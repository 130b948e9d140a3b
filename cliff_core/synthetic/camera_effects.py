"""What comes between a scene and its file: things in front, blur, exposure, noise, low resolution, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from cliff_core.synthetic.textures import cloth, cloth_colour, skin_colour

_LEAST_SIDE_PX = 40
_MOST_HIDDEN = 0.45
_TRIES = 4


def add_occluders(rng: np.random.Generator, rgb: np.ndarray, backgrounds, mask: np.ndarray | None = None) -> np.ndarray:
    """Put one to three things in front: cut-outs of other pictures, furniture-like boxes, posts, arms.

    Args:
        rng: source of all randomness.
        rgb: (H, W, 3) uint8, left as it is.
        backgrounds: a `Backgrounds`, for what the things look like.
        mask: (H, W) bool where the person is: things are placed on the person then, and hide less than half of it.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = rgb.shape[:2]
    person = None if mask is None or not mask.any() else np.argwhere(mask)
    area = height * width if person is None else len(person)
    covered = np.zeros((height, width), np.uint8)
    picture = rgb.copy()
    for _ in range(rng.choice(3, p=(0.6, 0.28, 0.12)) + 1):
        for _ in range(_TRIES):
            centre = rng.random(2) * (width, height) if person is None else person[rng.integers(len(person))][::-1]
            shape = np.zeros((height, width), np.uint8)
            box = _cut_out(rng, shape, np.asarray(centre, float), np.sqrt(area))
            hidden = np.maximum(covered, shape)
            share = np.count_nonzero(hidden if mask is None else hidden[mask]) / area
            if box is not None and share < _MOST_HIDDEN:
                covered = hidden
                x0, y0, x1, y1 = box
                inside = shape[y0:y1, x0:x1, None] > 0
                surface = _surface(rng, backgrounds, x1 - x0, y1 - y0)
                picture[y0:y1, x0:x1] = np.where(inside, surface, picture[y0:y1, x0:x1])
                break
    return picture


def _cut_out(rng, shape, centre, size):
    """Draw the outline of a thing into `shape`; returns its box within the picture, or `None` if it is outside."""
    kind = rng.random()
    if kind < 0.35:  # something with corners
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 9)))
        reach = size * rng.uniform(0.12, 0.45) * rng.uniform(0.6, 1.0, (len(angles), 1))
        corners = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach
        cv2.fillPoly(shape, [corners.astype(np.int32)], 255)
    elif kind < 0.55:  # something round
        axes = (size * rng.uniform(0.06, 0.35, 2) + 2).astype(int).tolist()
        cv2.ellipse(shape, centre.astype(int).tolist(), axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    elif kind < 0.75:  # a table, a wall, the edge of a car: everything below or beside a line
        turn = rng.choice((0.0, 0.0, 90.0, 270.0)) + rng.normal(0, 6)
        along = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
        down = np.array([-along[1], along[0]])
        start = centre + down * size * rng.uniform(0.0, 0.3)
        far, deep = along * 3 * size * rng.choice((0.15, 1.0)), down * size * rng.choice((0.25, 4.0))
        corners = np.array([start - far, start + far, start + far + deep, start - far + deep])
        cv2.fillPoly(shape, [corners.astype(np.int32)], 255)
    else:  # a post, a branch, somebody's arm
        turn = rng.uniform(0, np.pi)
        step = np.array([np.cos(turn), np.sin(turn)]) * size * rng.uniform(0.3, 2.0)
        ends = np.clip([centre - step, centre + step], -4000, 4000).astype(int)
        cv2.line(shape, ends[0].tolist(), ends[1].tolist(), 255, int(size * rng.uniform(0.03, 0.16)) + 1)
    x, y, wide, tall = cv2.boundingRect(shape)
    return (x, y, x + wide, y + tall) if wide and tall else None


def _surface(rng, backgrounds, width, height):
    kind = rng.random()
    if kind < 0.55:
        surface = backgrounds.patch(rng, width, height).astype(np.float32)
    elif kind < 0.75:
        rows, columns = np.mgrid[0:height:4, 0:width:4].reshape(2, -1).astype(np.float32) / 100
        colours = cloth(rng, np.stack([columns, rows, np.zeros_like(rows)], axis=1))
        small = colours.reshape(-(-height // 4), -(-width // 4), 3)
        surface = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        colour = skin_colour(rng) if rng.random() < 0.4 else cloth_colour(rng)
        surface = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    left, right = rng.uniform(0.5, 1.15, 2).tolist()
    shade = np.linspace(left, right, width, dtype=np.float32)[:, None]
    return np.clip(surface * shade, 0, 255).astype(np.uint8)


def degrade(rng: np.random.Generator, rgb: np.ndarray, person_scale: float = 1.0) -> np.ndarray:
    """Make a clean rendering look as if a camera had taken and a file had kept it.

    In the order of a real camera: blur of lens and movement, exposure, white balance, contrast, sensor noise, JPEG at
    quality 40 to 95, and only then enlargement to the size of the crop.

    Args:
        rng: source of all randomness.
        rgb: (H, W, 3) uint8, left as it is.
        person_scale: pixels of the photo per pixel of this picture: 0.25 for a small person enlarged four times; 1 or
            more where the photo is at least as fine.

    Returns:
        (H, W, 3) uint8 of the same size.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, float(person_scale))
    if rng.random() < 0.25:  # photos are often enlarged or soft themselves
        scale *= rng.uniform(0.4, 1.0)
    scale = max(scale, min(1.0, _LEAST_SIDE_PX / min(height, width)))
    picture = rgb
    if scale < 0.97:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    picture = _blur(rng, picture)
    picture = _develop(rng, picture)
    picture = _add_noise(rng, picture)
    if rng.random() < 0.9:
        picture = _through_jpeg(picture, int(rng.integers(40, 96)))
    if picture.shape[:2] != (height, width):
        method = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, (width, height), interpolation=method)
    return picture


def _blur(rng, picture):
    if rng.random() < 0.45:
        picture = cv2.GaussianBlur(picture, (0, 0), float(np.exp(rng.uniform(np.log(0.3), np.log(1.6)))))
    if rng.random() < 0.12:
        length = rng.uniform(2, 4 + 0.03 * max(picture.shape[:2]))
        turn, side = rng.uniform(0, np.pi), int(length) | 1
        kernel = np.zeros((side + 2, side + 2), np.float32)
        middle = np.array([side + 1, side + 1]) / 2
        step = np.array([np.cos(turn), np.sin(turn)]) * (length - 1) / 2
        ends = np.round(np.array([middle - step, middle + step])).astype(int)
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return picture


def _develop(rng, picture):
    """Exposure, contrast, gamma and white balance through one table per channel; saturation now and then."""
    tone = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    gains = np.exp(rng.normal(0, 0.16) + rng.normal(0, 0.06, 3) * (1.0, 0.5, 1.0)).astype(np.float32)
    curve = (tone * gains) ** np.float32(np.exp(rng.normal(0, 0.16)))
    curve = (curve - 0.5) * np.float32(np.exp(rng.normal(0, 0.14))) + 0.5 + np.float32(rng.normal(0, 0.03))
    table = np.clip(curve * 255 + 0.5, 0, 255).astype(np.uint8)
    picture = cv2.LUT(picture, table.reshape(1, 256, 3))
    draw = rng.random()
    if draw < 0.35:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        colourful = 0.0 if draw < 0.06 else float(rng.uniform(0.3, 1.35))
        picture = cv2.addWeighted(picture, colourful, grey, 1 - colourful, 0)
    return picture


def _add_noise(rng, picture):
    strength = float(rng.exponential(3.5))
    if strength < 0.7:
        return picture
    height, width = picture.shape[:2]
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(min(strength, 22))
    speckle = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), dtype=np.float32)
    speckle *= np.float32(min(strength, 22) * rng.uniform(0.2, 0.9))
    noise = grain + cv2.resize(speckle, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.add(picture, noise, dtype=cv2.CV_8U)


def _through_jpeg(picture, quality):
    swapped = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
