"""Reading the files of a log, as people have them, into cells of text."""

from occupancy.data.reading.cells import Cells
from occupancy.data.reading.files import read_files

__all__ = ["Cells", "read_files"]
