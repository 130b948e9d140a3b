"""Body files on disk: finding them, telling their kinds apart, checking every array before it is believed.

SMPL comes as `.pkl` (1.0 with chumpy objects, 1.1 with plain arrays and 300 shape coefficients) or as `.npz` with the
same keys; the open bodies are `.npz` files that also bring keypoint regressors, named vertices and part labels.
Nothing in a file is ever executed (`safe_pickle`).
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from cliff_core.body.body import POSE_FEATURE_COUNT, SHAPE_COUNT, Body
from cliff_core.body.regressors import OFFICIAL_VERTEX_COUNT, OFFICIAL_VERTICES, official_regressors
from cliff_core.body.safe_pickle import read_arrays
from cliff_core.errors import BodyFileError
from cliff_core.skeletons import JOINT_SETS, SMPL_PARENTS

GENDERS = ("neutral", "male", "female")
_FAMILY = {16: "MANO hand", 5: "FLAME head", 52: "SMPL-H", 55: "SMPL-X"}  # by number of joints
_LARGEST_ARRAY_BYTES = 1 << 30
_SUM_TOLERANCE = 0.02
_LARGEST_VALUE = 1e6  # metres, or offsets per coefficient: far beyond any body
_REQUIRED = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
_OPTIONAL = ("posedirs", "posedirs_q", "posedirs_scale", "gender", "name", "vertex_names", "vertex_ids", "part_labels")
_WANTED = frozenset(_REQUIRED + _OPTIONAL)


def find_body_file(path: Path, gender: str) -> Path:
    """The body file that a path means: itself, or a gender's file in a folder laid out as `smplx` expects it.

    Args:
        path: a file, or a folder with `SMPL_NEUTRAL.pkl`, `basicmodel_m_lbs_10_207_0_v1.1.0.pkl` and their like, in it
            or in its `smpl` or `models` folder.
        gender: which one to take from a folder.

    Raises:
        BodyFileError: nothing there; the message says what was looked for.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise BodyFileError(f"{path}: no such file or folder; give an SMPL .pkl or .npz file, or the folder it lies in")
    folders = [path / "smpl", path, path / "smpl" / "models", path / "models"]
    found = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]
    bodies = [file for file in found if file.suffix.lower() in (".pkl", ".npz") and _named_gender(file)]
    for file in bodies:
        if _named_gender(file) == gender:
            return file
    others = ", ".join(sorted({file.name for file in bodies}))
    raise BodyFileError(
        f"{path}: no {gender} SMPL body here; expected smpl/SMPL_{gender.upper()}.pkl or "
        f"basicmodel_{gender if gender == 'neutral' else gender[0]}_lbs_10_207_0_v1.1.0.pkl"
        + (f" (there is {others})" if others else "")
    )


def _named_gender(file: Path) -> str | None:
    """Gender that the official file names carry, else None."""
    stem = file.stem.lower()
    if stem.startswith(("smpl_", "open_")) and stem.split("_")[1] in GENDERS:
        return stem.split("_")[1]
    if stem.startswith("basicmodel_"):
        return {"m": "male", "f": "female", "neutral": "neutral", "n": "neutral"}.get(stem.split("_")[1])
    return None


def read_body(path: Path, gender: str = "neutral") -> Body:
    """Read and check one body file.

    Args:
        path: `.pkl` or `.npz`.
        gender: taken where neither the file's content nor its name says one.

    Raises:
        BodyFileError: missing, damaged, unsafe, another model of the family, or arrays that do not fit each other.
    """
    arrays = _read_npz(path) if path.suffix.lower() == ".npz" else read_arrays(path, _WANTED)
    _refuse_other_models(path, arrays)
    missing = [key for key in _REQUIRED if key not in arrays]
    if "posedirs" not in arrays and not {"posedirs_q", "posedirs_scale"} <= arrays.keys():
        missing.append("posedirs")
    if missing:
        raise BodyFileError(f"{path}: no SMPL body, {', '.join(missing)} missing; give an official SMPL file")
    shaped = _checked_arrays(path, arrays)
    said = str(arrays["gender"]) if "gender" in arrays else ""
    gender = said if said in GENDERS else _named_gender(path) or gender
    vertex_count = len(shaped["v_template"])
    own = {key.removeprefix("regressor_"): arrays[key] for key in arrays if key.startswith("regressor_")}
    if own:
        known = {name: np.ones(len(rows), dtype=bool) for name, rows in own.items()}
        _check_own(path, arrays, own, vertex_count)
        names = dict(zip(arrays["vertex_names"].tolist(), arrays["vertex_ids"].tolist(), strict=True))
    else:
        extra = _beside(path, "J_regressor_extra.npy", (9, vertex_count))
        h36m = _beside(path, "J_regressor_h36m.npy", (17, vertex_count))
        own, known = official_regressors(shaped["J_regressor"], extra, h36m)
        names = dict(OFFICIAL_VERTICES) if vertex_count == OFFICIAL_VERTEX_COUNT else {}
    return Body(
        name=str(arrays["name"]) if "name" in arrays else path.stem,
        gender=gender,
        **shaped,
        parents=SMPL_PARENTS,
        regressors=own,
        regressor_known=known,
        vertex_names=names,
        part_labels=arrays.get("part_labels"),
    )


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays that a body needs; others of the archive are not touched."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {Path(entry.filename).stem: entry.file_size for entry in archive.infolist()}
        with np.load(path, allow_pickle=False) as archive:
            arrays = {}
            for key in archive.files:
                if not (key in _WANTED or key.startswith("regressor_")):
                    continue
                if sizes[key] > _LARGEST_ARRAY_BYTES:
                    raise BodyFileError(f"{path}: {key} claims {sizes[key]:,} bytes; no body is that large")
                arrays[key] = archive[key]
            return arrays
    except OSError as error:
        raise BodyFileError(f"{path}: cannot be read ({error})") from error
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError, MemoryError, zlib.error) as error:
        reason = "it holds Python objects, which may run code" if "Object arrays" in str(error) else error
        raise BodyFileError(f"{path}: not a readable .npz body ({reason}); copy or download it again") from error


def _refuse_other_models(path: Path, arrays: dict[str, np.ndarray]):
    """Name the relatives of SMPL that are brought by mistake."""
    tree = arrays.get("kintree_table", np.zeros((0, 0)))
    joints = tree.shape[-1] if tree.ndim else 0
    if joints in _FAMILY:
        raise BodyFileError(
            f"{path}: a {_FAMILY[joints]} model ({joints} joints); this program poses SMPL, a body of 24 joints. "
            "Give the SMPL .pkl or .npz file"
        )
    if joints == 24 and arrays.get("posedirs", np.zeros(0)).shape[-1:] == (93,):
        raise BodyFileError(f"{path}: a STAR model; this program poses SMPL. Give the SMPL .pkl or .npz file")


def _checked_arrays(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `Body` under its names, float32 and int32, every shape and value range checked."""
    vertex_count = len(np.atleast_1d(arrays["v_template"]))
    expected = {
        "v_template": (vertex_count, 3),
        "J_regressor": (24, vertex_count),
        "weights": (vertex_count, 24),
        "kintree_table": (2, 24),
    }
    for key, shape in expected.items():
        if arrays[key].shape != shape:
            raise BodyFileError(f"{path}: {key} has shape {arrays[key].shape}, SMPL's is {shape}")
    shapedirs, faces = arrays["shapedirs"], arrays["f"]
    if shapedirs.ndim != 3 or shapedirs.shape[:2] != (vertex_count, 3) or shapedirs.shape[2] < SHAPE_COUNT:
        raise BodyFileError(f"{path}: shapedirs has shape {shapedirs.shape}, SMPL's is ({vertex_count}, 3, 10 or more)")
    posedirs = _posedirs(path, arrays, vertex_count)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu" or not _all_below(faces, vertex_count):
        raise BodyFileError(f"{path}: f is no list of triangles of {vertex_count} vertices")
    if arrays["kintree_table"][0, 1:].tolist() != SMPL_PARENTS[1:].tolist():
        raise BodyFileError(f"{path}: kintree_table joins the joints in another order than SMPL's")
    shaped = {"v_template": arrays["v_template"], "shapedirs": shapedirs[:, :, :SHAPE_COUNT], "posedirs": posedirs}
    shaped |= {"J_regressor": arrays["J_regressor"], "weights": arrays["weights"]}
    for key, array in shaped.items():
        if array.dtype.kind not in "iuf" or not np.abs(array).max(initial=0) < _LARGEST_VALUE:  # NaN is not below
            raise BodyFileError(f"{path}: {key} holds values that no body has (not finite, or beyond a million)")
    for key, sums in (("weights", arrays["weights"].sum(axis=1)), ("J_regressor", arrays["J_regressor"].sum(axis=1))):
        if np.abs(sums - 1).max(initial=0) > _SUM_TOLERANCE:
            raise BodyFileError(f"{path}: rows of {key} sum to {sums.min():.3g}..{sums.max():.3g} instead of 1")
    return {key: array.astype(np.float32) for key, array in shaped.items()} | {"faces": faces.astype(np.int32)}


def _all_below(indices: np.ndarray, count: int) -> bool:
    """Whether integers are indices of `count` things."""
    return not indices.size or (indices.min() >= 0 and indices.max() < count)


def _posedirs(path: Path, arrays: dict[str, np.ndarray], vertex_count: int) -> np.ndarray:
    """(V, 3, 207) pose offsets, dense or as integers with a scale."""
    key = "posedirs" if "posedirs" in arrays else "posedirs_q"
    posedirs = arrays[key]
    if posedirs.shape != (vertex_count, 3, POSE_FEATURE_COUNT):
        raise BodyFileError(
            f"{path}: {key} has shape {posedirs.shape}, SMPL's is ({vertex_count}, 3, {POSE_FEATURE_COUNT})"
        )
    if key == "posedirs":
        return posedirs
    try:
        return posedirs.astype(np.float32) * arrays["posedirs_scale"].astype(np.float32)
    except ValueError as error:
        raise BodyFileError(f"{path}: posedirs_scale of shape {arrays['posedirs_scale'].shape} fits nothing") from error


def _check_own(path: Path, arrays: dict[str, np.ndarray], own: dict[str, np.ndarray], vertex_count: int):
    """Check what an open body brings beside SMPL's keys."""
    for name, rows in own.items():
        if name not in JOINT_SETS:
            raise BodyFileError(f"{path}: regressor_{name} is of no joint set this program knows")
        if rows.shape != (len(JOINT_SETS[name]), vertex_count) or not np.isfinite(rows).all():
            raise BodyFileError(f"{path}: regressor_{name} has shape {rows.shape} or values that are no numbers")
    names, ids = arrays.get("vertex_names"), arrays.get("vertex_ids")
    if names is None or ids is None or names.shape != ids.shape or not _all_below(ids, vertex_count):
        raise BodyFileError(f"{path}: vertex_names and vertex_ids do not name vertices of this mesh")
    labels = arrays.get("part_labels")
    if labels is not None and (labels.shape != (vertex_count,) or labels.min() < 0 or labels.max() > 23):
        raise BodyFileError(f"{path}: part_labels are no joints 0 to 23 of {vertex_count} vertices")


def _beside(path: Path, name: str, shape: tuple[int, int]) -> np.ndarray | None:
    """A regressor file in the body's folder or the one above it, if it is there and fits the mesh."""
    for folder in (path.parent, path.parent.parent):
        file = folder / name
        if not file.is_file():
            continue
        try:
            rows = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BodyFileError(f"{file}: not a readable .npy file ({error}); replace or remove it") from error
        if rows.shape != shape or rows.dtype.kind != "f" or not np.isfinite(rows).all():
            raise BodyFileError(f"{file}: shape {rows.shape}, expected {shape}; it belongs to another body, remove it")
        return rows
    return None
