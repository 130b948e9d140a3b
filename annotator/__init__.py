"""The program: what a person or a shell drives.

Here: commands (`cli`), what they print (`console`), use cases that string the science together (`demo`, `predict`,
`doctor`). Not here: anything that computes with bodies, photos or networks; that is `cliff_core`.
May import `cliff_core`. Only `annotator.qt` may import Qt, and no module here imports torch itself.
"""

import os
import platform

# NumPy's products are small here, and while OpenBLAS waits for the next one its threads spin: `predict` lost a fifth of
# its speed to them. Elsewhere torch may use the same library (ARM), and its products are large.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
