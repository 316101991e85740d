"""Units of work, and where they are carried out: in this process, on all cores, or on a cluster."""
