"""Errors a person can act on: each names the file or value at fault and the remedy, in one sentence or two."""


class CliffError(Exception):
    """Base of all errors that are shown to a person as one line, without a traceback."""


class GeometryError(CliffError):
    """A box, camera or rotation that no arithmetic can use (a box without height, a depth of zero)."""


class ImageError(CliffError):
    """A file that is not a readable picture, or one too large to open."""


class BodyFileError(CliffError):
    """A body model file that is missing, damaged, unsafe or of another kind."""


class CheckpointError(CliffError):
    """A checkpoint that is missing, damaged, unsafe or of another network."""


class FormatError(CliffError):
    """An annotation file that does not hold what its format promises."""


class ResourceError(CliffError):
    """A bundled file (model, body, sample) that should be in `resources/` and is not, or is damaged."""


class TrainingError(CliffError):
    """A training run that cannot start, continue or be resumed."""
