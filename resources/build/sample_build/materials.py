"""Surfaces: tiles of linear light that repeat (or pictures that do not), read at the fineness that a pixel can show."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data

_GAMMA = 2.2
_REMAP_WIDTH = 4096  # OpenCV remaps at most 32,767 points a row


def linear(srgb) -> np.ndarray:
    """sRGB 0..255 to linear light 0..1."""
    return (np.asarray(srgb, np.float32) / 255) ** np.float32(_GAMMA)


def srgb(light: np.ndarray) -> np.ndarray:
    """Linear light 0..1 to sRGB 0..255, float."""
    return np.clip(light, 0, 1) ** np.float32(1 / _GAMMA) * 255


@dataclass(frozen=True)
class Material:
    """A surface's colours.

    Attributes:
        levels: pictures (h, w, 3) of linear light, each half as fine as the one before.
        size_m: width and height of one tile.
        repeats: whether the tile repeats; otherwise its edge goes on for ever.
    """

    levels: tuple[np.ndarray, ...]
    size_m: tuple[float, float]
    repeats: bool = True

    @classmethod
    def of(cls, picture: np.ndarray, size_m: float | tuple[float, float], repeats: bool = True) -> Material:
        """From one picture (h, w, 3) of linear light; one number is the width, the height follows."""
        picture = np.ascontiguousarray(np.clip(picture, 0, 4), np.float32)
        height, width = picture.shape[:2]
        if isinstance(size_m, int | float):
            size_m = (size_m, size_m * height / width)
        levels = [picture]
        while min(levels[-1].shape[:2]) >= 4:
            half = tuple(side // 2 for side in levels[-1].shape[1::-1])
            levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
        return cls(tuple(levels), size_m, repeats)

    def at(self, u_m: np.ndarray, v_m: np.ndarray, footprint_m: np.ndarray) -> np.ndarray:
        """Colours (N, 3) at places on the surface (N,), each averaged over the size of its pixel there."""
        texel = self.size_m[0] / self.levels[0].shape[1]
        level = np.clip(np.log2(np.maximum(footprint_m / texel, 1e-6)), 0, len(self.levels) - 1.001)
        colours = np.empty((len(u_m), 3), np.float32)
        for lower in np.unique(level.astype(int)):
            here = np.flatnonzero(level.astype(int) == lower)
            share = (level[here] - lower)[:, None].astype(np.float32)
            fine, coarse = (self._read(lower + step, u_m[here], v_m[here]) for step in (0, 1))
            colours[here] = fine + share * (coarse - fine)
        return colours

    def _read(self, level, u_m, v_m):
        picture = self.levels[level]
        height, width = picture.shape[:2]
        x = u_m / self.size_m[0] % 1.0 if self.repeats else np.clip(u_m / self.size_m[0], 0, 1)
        y = v_m / self.size_m[1] % 1.0 if self.repeats else np.clip(v_m / self.size_m[1], 0, 1)
        count = len(x)
        rows = -(-count // _REMAP_WIDTH)
        grid = np.zeros((2, rows * _REMAP_WIDTH), np.float32)
        grid[0, :count], grid[1, :count] = x * width - 0.5, (1 - y) * height - 0.5  # v runs up, rows run down
        border = cv2.BORDER_WRAP if self.repeats else cv2.BORDER_REPLICATE
        read = cv2.remap(picture, *grid.reshape(2, rows, -1), cv2.INTER_LINEAR, borderMode=border)
        return read.reshape(-1, 3)[:count]

    def varied(self, rng: np.random.Generator, amount: float, times: int = 8) -> Material:
        """The same surface with bright and dark patches, on a tile so many times as large, at half the fineness."""
        tile = np.tile(self.levels[1], (times, times, 1))
        patches = cv2.resize(noise(rng, 256, 1.6), tile.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return Material.of(tile * (1 + amount * patches[..., None]), tuple(side * times for side in self.size_m))


def noise(rng: np.random.Generator, side: int, roughness: float, stretch: float = 1.0) -> np.ndarray:
    """Periodic noise (side, side), mean 0, deviation 1, whose power falls with frequency to the given exponent."""
    fy, fx = np.fft.fftfreq(side)[:, None] * stretch, np.fft.rfftfreq(side)[None, :] / stretch
    frequency = np.hypot(fx, fy)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * frequency**-roughness
    field = np.fft.irfft2(spectrum, (side, side))
    return ((field - field.mean()) / field.std()).astype(np.float32)


def plain(colour_srgb) -> Material:
    """One colour."""
    return Material.of(np.broadcast_to(linear(colour_srgb), (4, 4, 3)), 1.0)


def photo(name: str, width_m: float) -> Material:
    """A picture of scikit-image, as a poster or a mural."""
    return Material.of(linear(getattr(skimage.data, name)()), width_m, repeats=False)


def toned(grey: np.ndarray, colours_srgb, size_m: float) -> Material:
    """A grey picture coloured from dark to light by the rank of its tones."""
    ranks = np.argsort(np.argsort(grey, axis=None)).reshape(grey.shape) / grey.size
    stops = linear(colours_srgb)
    places = np.linspace(0, 1, len(stops))
    picture = np.stack([np.interp(ranks, places, stops[:, channel]) for channel in range(3)], axis=-1)
    return Material.of(picture, size_m)


def grass(rng: np.random.Generator, colours_srgb=((28, 40, 14), (84, 110, 38), (168, 176, 96))) -> Material:
    """Lawn, from scikit-image's CC0 picture."""
    return toned(skimage.data.grass(), colours_srgb, 1.3).varied(rng, 0.14)


def gravel(
    rng: np.random.Generator, colours_srgb=((58, 52, 46), (148, 138, 124), (214, 206, 192)), size_m=1.6
) -> Material:
    """Gravel or, small and dark, tarmac; from scikit-image's CC0 picture."""
    return toned(skimage.data.gravel(), colours_srgb, size_m).varied(rng, 0.08)


def mottled(rng: np.random.Generator, colour_srgb, amount: float, size_m: float, roughness: float = 1.3) -> Material:
    """Plaster, concrete, sand, carpet: one colour with patches."""
    field = noise(rng, 512, roughness) + 0.25 * noise(rng, 512, 0.3)
    return Material.of(linear(colour_srgb) * (1 + amount * field[..., None]), size_m)


def planks(rng: np.random.Generator, colour_srgb, width_m: float = 0.14, length_m: float = 1.4) -> Material:
    """A wooden floor; planks run along v."""
    count, side = 12, 768
    tones = 1 + 0.13 * rng.standard_normal((count, 3))
    picture = np.empty((side, side, 3), np.float32)
    grain = noise(rng, side, 1.0, stretch=0.22)
    rows = np.arange(side)
    for k in range(count):
        columns = slice(k * side // count, (k + 1) * side // count)
        joint = rng.integers(side)
        piece = ((rows - joint) % side * 3 // side).astype(int)  # three planks one behind the other
        tone = tones[k][piece] if k % 2 else tones[k][::-1][piece]
        shifted = np.roll(grain, (int(rng.integers(side)), int(rng.integers(side))), axis=(0, 1))[:, columns]
        picture[:, columns] = linear(colour_srgb) * (tone[:, None, None] + 0.1 * shifted[..., None])
        picture[:, columns.start : columns.start + 2] *= 0.45
        picture[(joint + np.arange(3) * side // 3) % side, columns] *= 0.5
    return Material.of(picture, (count * width_m, 3 * length_m))


def tiles(rng: np.random.Generator, colour_srgb, joint_srgb, size_m: float, joint: float = 0.03) -> Material:
    """Square tiles or slabs."""
    count, side = 8, 768
    cell = side // count
    tones = np.kron(1 + 0.06 * rng.standard_normal((count, count)), np.ones((cell, cell)))
    picture = linear(colour_srgb) * (tones + 0.05 * noise(rng, side, 0.9))[..., None]
    edge = np.arange(side) % cell < max(1, round(joint * cell))
    picture[edge] = picture[:, edge] = linear(joint_srgb)
    return Material.of(picture, count * size_m)


def bricks(
    rng: np.random.Generator, colour_srgb, joint_srgb, width_m: float = 0.24, height_m: float = 0.08
) -> Material:
    """A brick wall in running bond."""
    across, courses, brick = 8, 16, (36, 96)  # rows, columns of pixels of one brick with its joints
    shape = (courses * brick[0], across * brick[1])
    y, x = np.mgrid[: shape[0], : shape[1]]
    row = y // brick[0]
    x = (x + (row % 2) * (brick[1] // 2)) % shape[1]
    tones = (1 + 0.16 * rng.standard_normal((courses, across)))[row, x // brick[1]]
    grain = cv2.resize(noise(rng, 512, 0.8), shape[::-1])
    picture = linear(colour_srgb) * (tones + 0.09 * grain)[..., None]
    in_joint = (y % brick[0] < 5) | (x % brick[1] < 5)
    picture[in_joint] = (linear(joint_srgb) * (1 + 0.1 * grain[..., None]))[in_joint]
    return Material.of(np.clip(picture, 0.01, 1), (across * width_m, courses * height_m))


def windows(rng: np.random.Generator, wall_srgb, bay_m: float = 2.6, storey_m: float = 3.2) -> Material:
    """A house's front: plaster, windows with frames that reflect the sky."""
    across, storeys, cell = 6, 4, 160
    picture = np.ones((storeys * cell, across * cell, 3), np.float32) * linear(wall_srgb)
    picture *= 1 + 0.05 * cv2.resize(noise(rng, 512, 1.2), picture.shape[1::-1])[..., None]
    sky = np.linspace(0.9, 0.35, 90, dtype=np.float32)[:, None, None] * linear((120, 150, 185))
    for row in range(storeys):
        for column in range(across):
            y, x = row * cell + 34, column * cell + 48
            picture[y - 6 : y + 96, x - 6 : x + 70] = linear((225, 222, 214))
            picture[y : y + 90, x : x + 64] = sky * rng.uniform(0.25, 1.0)
            picture[y : y + 90, x + 30 : x + 34] = picture[y + 30 : y + 34, x : x + 64] = linear((225, 222, 214))
            if rng.random() < 0.4:  # a curtain
                picture[y : y + 90, x + 2 : x + 2 + int(rng.integers(8, 24))] = linear((190, 184, 170))
            picture[y + 96 : y + 102, x - 10 : x + 74] = linear((120, 116, 110))
    return Material.of(picture, (across * bay_m, storeys * storey_m))
