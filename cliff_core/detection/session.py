"""One onnxruntime session per model, thread count and process, quiet and without busy waiting."""

from __future__ import annotations

from functools import cache

import onnxruntime

from cliff_core.errors import ResourceError
from cliff_core.resources import resource_path

_ERRORS_ONLY = 3


@cache
def load_session(file_name: str, threads: int = 1) -> onnxruntime.InferenceSession:
    """The session of a bundled detector; made once, then shared (running it is thread-safe).

    Args:
        file_name: a file of `resources/detectors`.
        threads: how many cores one run may use.

    Raises:
        ResourceError: the file is missing or damaged.
    """
    path = resource_path("detectors", file_name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Waiting threads would otherwise spin and take the cores from whatever else predicts.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # From bytes: onnxruntime opens paths with non-ASCII characters on Windows only in some builds.
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise ResourceError(
            f"resources/detectors/{file_name}: damaged ({type(error).__name__}); "
            "restore it with `git checkout -- resources`, or clone again"
        ) from error
