"""The figures of the student report that this project reproduces, and the runs that correspond to them.

T. Dróżdż, M. Markiewicz and D. Motyka, a project report in Polish on the UCI Room Occupancy Estimation log:
its final comparison, and its table of Monte-Carlo dropout.
"""

from __future__ import annotations

from typing import NamedTuple

from occupancy.tracking.stored_runs import Run

NOTE = (
    "The report used the UCI log, its own four folds, whose exact cuts are not known, and early stopping on the test "
    "rows; ± is the standard deviation over folds. It does not say whether its macro-F1 is over the labels that occur "
    "(F1) or over all labels (F1 all). MC: Monte-Carlo dropout. In the report, the two columns of the row LSTM "
    "regression, MC are swapped; here they are in the right order."
)


class Reported(NamedTuple):
    """A row of the report: its title, and its scores averaged over folds, with their std if the report gives it."""

    title: str
    mse: float
    f1_macro: float
    mse_std: float | None = None
    f1_macro_std: float | None = None


REPORT = {
    "random_forest": Reported("random forest", 0.323, 0.350),
    "mlp_crf": Reported("CRF", 0.288, 0.530),
    "bnn": Reported("BNN", 0.540, 0.480),
    "lstm_regression": Reported("LSTM regression", 0.133, 0.659, 0.058, 0.196),
    # Printed as MSE 0.661 (0.194) and F1 0.131 (0.058), beside 0.133 (0.058) and 0.659 (0.196) without dropout.
    "lstm_regression_mc": Reported("LSTM regression, MC", 0.131, 0.661, 0.058, 0.194),
    "lstm_classification": Reported("LSTM classification", 0.173, 0.634, 0.093, 0.192),
    "lstm_classification_mc": Reported("LSTM classification, MC", 0.173, 0.627, 0.087, 0.193),
}
"""The rows of the report, by the name of the config that reproduces each."""


def row_of(run: Run) -> str | None:
    """Return the key in `REPORT` of a run on the UCI log, found by the settings of its model or else by its name."""
    if run.tags["dataset"] != "uci":
        return None
    name, params = run.name, run.params
    model = params.get("model.name", "")
    if model == "lstm":
        dropout = "" if params.get("model.mc_samples", "0") == "0" else "_mc"
        model = f"lstm_{params.get('model.head', '')}{dropout}"
    return next((key for key in (model, name) if key in REPORT), None)
