"""Sensor logs: where they come from, how they are checked, and how they are cut into folds."""
