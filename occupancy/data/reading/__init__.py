"""Reading the files of a log, as people have them, into cells of text."""

from occupancy.data.reading.files import Cells, read_files

__all__ = ["Cells", "read_files"]
