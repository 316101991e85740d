"""The health of sensors: what is wrong with the readings of a log, since when, how sure that is, and what to do."""
