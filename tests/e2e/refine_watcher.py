"""Stands for the window or a shell: asks for a refinement, or finds the one there is, and takes its results in.

python refine_watcher.py PROJECT SETTINGS_AS_JSON
"""

import json
import sys
from pathlib import Path

from annotator.apply import apply_job
from annotator.loop import run_job_here
from annotator.project import open_project
from annotator.runs import JobRequest

if __name__ == "__main__":
    with open_project(Path(sys.argv[1])) as project:
        job, _ = run_job_here(project, JobRequest("refine", json.loads(sys.argv[2])), lambda done, total, text: None)
        print(apply_job(project, job).changed)
