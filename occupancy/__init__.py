"""Counts the people in a room from cheap sensors, with a probability one can act on.

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

# Libraries with progress bars say on import in a notebook that they lack widgets to draw them; nothing here draws any.
warnings.filterwarnings("ignore", "IProgress not found")

__version__ = "0.1.0"
