"""The colours of all figures: those of Okabe and Ito, which colour-blind readers can tell apart too."""

BLACK, GREY = "#000000", "#999999"
ORANGE, SKY, GREEN, BLUE, VERMILLION = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00"
LABELS = (BLUE, ORANGE, GREEN, VERMILLION, SKY, BLACK)
"""The colour of each label, from 0; more labels start again from the first colour."""
PART_COLOURS = {"train": BLUE, "validation": ORANGE, "test": GREEN}
"""The colour of each part of a fold."""
MARKERS = "osD^vP"
"""The marker of each fold, from the first; more folds start again from the first marker."""
