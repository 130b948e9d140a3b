"""Where people are on a photo and where their joints are: three networks run by onnxruntime.

`PersonDetector` gives boxes, `KeypointDetector` COCO's 17 points in given boxes, `LandmarkDetector` BlazePose's 33.
Nothing here trains, draws or knows a project; it may import records, skeletons, errors and resources, and no torch.
"""

from cliff_core.detection.keypoints import KeypointDetector
from cliff_core.detection.landmarks import LandmarkDetector
from cliff_core.detection.person import PersonDetector

__all__ = ["KeypointDetector", "LandmarkDetector", "PersonDetector"]
