"""What runs in the process that is asked while somebody labels (`asking`): CLIFF, with a person's points of now."""

from __future__ import annotations

import json
import os
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from annotator.asking import keypoints_of
from cliff_core.body import load_body
from cliff_core.errors import CliffError
from cliff_core.execution.streams import torch_threads
from cliff_core.images import read_image
from cliff_core.inference import Crops, Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Box, Camera
from cliff_core.training.supervision import with_known_points

_KEPT = 64  # people whose features are kept: those of the last photos


class Answerer:
    """Predicts one person at a time; whom it has seen lately it need not look at again."""

    def __init__(self) -> None:
        self._predictor = Predictor(load_cliff(), load_body())
        self._seen: OrderedDict[str, Crops] = OrderedDict()

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The body, or why there is none; plain JSON."""
        try:
            crops = self._look(question)
        except CliffError as problem:
            return {"error": str(problem)}
        points = [keypoints_of(each) for each in question["points"]]
        (found,) = self._predictor.estimates(with_known_points(crops, [points]))
        params = found.params
        values = {"pose": params.pose_rotvec, "betas": params.betas, "transl": params.transl}
        return {name: value.tolist() for name, value in values.items()}

    def _look(self, question: Mapping[str, Any]) -> Crops:
        key = json.dumps([question[name] for name in ("file", "size_px", "box", "camera")])
        if key not in self._seen:
            file, size = Path(question["file"]), tuple(question["size_px"])
            rgb = read_image(file)
            if (rgb.shape[1], rgb.shape[0]) != size:
                raise CliffError(f"{file}: is another picture now; `relink` finds the one that it was")
            focal, x, y = question["camera"]
            self._seen[key] = self._predictor.crops(rgb, [Box(*question["box"])], None, Camera(focal, size, (x, y)))
        self._seen.move_to_end(key)
        while len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        return self._seen[key]


def serve(questions: Iterable[str], answers: IO[str]) -> None:
    """Answer line by line, until there are no more."""
    answerer = Answerer()
    with torch_threads(1):  # one person is too little to share
        for line in questions:
            answers.write(json.dumps(answerer.answer(json.loads(line))) + "\n")
            answers.flush()


def serve_standard_streams() -> None:
    """The same on standard input and output; what libraries print goes to the error stream."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with answers:
        serve(sys.stdin, answers)
