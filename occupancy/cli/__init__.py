"""What commands share: the parser, what they print, progress, and the files that they write."""
