"""Count the people in a room with cheap sensors, with a probability for each count.

Axis letters, the same in every file:

====== ==========================================================
letter axis
====== ==========================================================
B      batch
T      time inside a window
F      features
C      classes: the counts 0..C-1
S      samples of a predictive distribution (always the first axis)
N      rows of a log
====== ==========================================================

``x`` is an input, ``y`` a count; no other single letters are used.
"""

import warnings

# In a notebook, tqdm warns on import that it needs widgets for its progress bars; this package does not use them.
warnings.filterwarnings("ignore", "IProgress not found")

__version__ = "0.1.0"
