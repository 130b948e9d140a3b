"""The photos of the sample, chosen by hand."""

from __future__ import annotations

from dataclasses import dataclass

from sample_build.people import Actor


@dataclass(frozen=True)
class Prop:
    """A cuboid that stands in the way.

    Attributes:
        at: metres right of the camera, metres in front of it.
        size_m: width, height, depth.
        yaw_deg: its turn.
        srgb: its colour.
    """

    at: tuple[float, float]
    size_m: tuple[float, float, float]
    yaw_deg: float
    srgb: tuple[int, int, int]


@dataclass(frozen=True)
class Shot:
    """One photo.

    Attributes:
        name: of the file.
        place: function in `places`.
        size_px: width, height.
        lens_mm: focal length as for 35 mm film: 43.3 mm is as long as the diagonal.
        eye_m: height of the camera.
        pitch_deg, roll_deg: of the camera; a positive pitch looks down.
        actors: who is there.
        props: what stands in the way.
        seat_srgb: colour of seats.
        options: of the place.
    """

    name: str
    place: str
    size_px: tuple[int, int]
    lens_mm: float
    eye_m: float
    pitch_deg: float
    roll_deg: float
    actors: tuple[Actor, ...]
    props: tuple[Prop, ...] = ()
    seat_srgb: tuple[int, int, int] = (140, 104, 70)
    options: dict | None = None
    seed: int = 0


# fmt: off
SHOTS = (
    Shot("park_walk", "park", (960, 640), 40, 1.5, 2.5, 0.5, (
        Actor("clip 796", (-0.75, 4.3), 35, 85),
        Actor("clip 1617", (0.65, 5.0), 15, 74),
    )),
    Shot("track_run", "track", (1280, 720), 50, 1.25, 2, -0.8, (
        Actor("clip 690", (-1.35, 6.3), 68, 94),
        Actor("clip 1511", (1.05, 7.3), 60, 105),
    )),
    Shot("gym_kick", "gym", (640, 960), 40, 1.15, 1, 0, (
        Actor("clip 1597", (-0.1, 3.7), -40, 57),
    )),
    Shot("room_evening", "room", (960, 640), 28, 1.4, 7, 0, (
        Actor("made 65", (-1.0, 2.9), 30, 48, seat=0.95),
        Actor("made 46", (0.15, 3.3), -10, 110, seat=0.95),
        Actor("made 6", (1.35, 3.9), -35, 27),
    ), seat_srgb=(96, 104, 116)),
    Shot("gallery_three", "gallery", (1280, 720), 32, 1.55, 3, 0, (
        Actor("made 43", (-1.6, 4.6), 165, 47),
        Actor("made 67", (0.4, 5.2), 150, 89),
        Actor("clip 806", (1.7, 3.9), -70, 120),
    )),
    Shot("beach_arms", "beach", (960, 640), 45, 1.3, 1, 1.5, (
        Actor("made 57", (-0.7, 4.7), 10, 58, raise_m=0.22),
        Actor("clip 254", (0.9, 5.4), -20, 141),
    )),
    Shot("street_walkers", "street", (1280, 720), 60, 1.6, 1.5, 0, (
        Actor("clip 1612", (-1.3, 6.3), 20, 11),
        Actor("clip 811", (-0.98, 7.2), 10, 35),
        Actor("clip 801", (1.4, 8.0), -55, 130),
    )),
    Shot("yard_portrait", "yard", (640, 960), 70, 1.5, 4, 0, (
        Actor("made 27", (0.12, 3.5), -15, 6),
    )),
    Shot("studio_spar", "studio", (900, 720), 50, 1.2, 1, 0, (
        Actor("clip 604", (-0.5, 4.5), 80, 31),
        Actor("clip 1427", (0.55, 4.75), 15, 32, mirrored=True),
    )),
    Shot("cafe_table", "cafe", (960, 640), 35, 1.35, 6, 0, (
        Actor("made 92", (-0.95, 3.5), 50, 26, seat=0.45),
        Actor("made 53", (0.65, 3.7), -30, 49, seat=0.45),
    ), props=(Prop((0.2, 2.95), (0.8, 0.74, 0.6), 8, (120, 78, 48)),)),
    Shot("launch_watch", "launch", (1080, 720), 35, 1.6, -4, 0, (
        Actor("made 68", (-1.1, 3.4), 150, 62),
        Actor("made 23", (0.25, 4.3), 172, 111),
        Actor("clip 1025", (1.35, 3.7), 185, 66),
    )),
    Shot("meadow_path", "meadow", (960, 640), 85, 1.6, 1, 0, (
        Actor("clip 1627", (0.5, 10.0), 12, 12),
        Actor("clip 796", (-0.45, 13.5), 8, 101, mirrored=True),
    )),
    Shot("gym_floor", "gym", (1200, 800), 35, 1.5, 9, 0, (
        Actor("clip 335", (-1.0, 4.2), 62, 97),
        Actor("made 61", (1.0, 4.6), -30, 82),
    ), seed=1),
    Shot("track_start", "track", (1000, 750), 45, 1.5, 4, 0, (
        Actor("clip 1302", (-0.5, 4.8), 60, 78),
        Actor("made 23", (1.15, 5.8), -40, 135),
    ), seed=2),
    Shot("room_reach", "room", (720, 960), 27, 1.5, 8, 0, (
        Actor("made 19", (0.5, 1.85), -20, 102),
    ), options={"picture": "coffee", "wall_srgb": (206, 190, 160)}),
    Shot("street_above", "street", (640, 960), 45, 3.2, 24, 0, (
        Actor("clip 1622", (-0.5, 4.3), 25, 142),
        Actor("made 72", (0.75, 6.0), -60, 46),
    ), seed=3),
    Shot("gym_dance", "gym", (1280, 720), 40, 1.4, 2, 0, (
        Actor("clip 198", (-1.25, 5.9), 10, 65),
        Actor("clip 1069", (0.2, 4.7), -10, 114),
        Actor("clip 1013", (2.1, 6.4), -15, 91),
    ), seed=4),
    Shot("beach_rest", "beach", (960, 640), 35, 1.2, 6, -1, (
        Actor("clip 460", (-0.9, 3.6), 50, 140),
        Actor("made 16", (0.7, 4.2), -25, 88),
    ), seed=5),
)
# fmt: on
