"""Which sensors the counts of a fitted model depend on: over the test rows of a fold, and at one time."""
