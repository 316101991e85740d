"""Which sensors the counts of a fitted model rest on: over the test rows of a fold, and at one moment."""
