# ---
# jupyter:
#   jupytext:
#     comment_magics: false
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # When is a model unsure, and does that help?
#
# A count with "± 0.3 people" is worth more than a count alone, if the 0.3 is true. Here it is compared with the errors
# on test rows, for each model that one may pick. The runs are those that `make compare` recorded, in the store in
# `MLFLOW_TRACKING_URI` or else in `mlflow.db` of this checkout.

# %%
import os

import pandas as pd
from IPython.display import Markdown, display
from matplotlib_inline.backend_inline import set_matplotlib_formats

from occupancy.comparison import uncertainty
from occupancy.comparison.dots import fold_dots
from occupancy.comparison.groups import candidates
from occupancy.comparison.reading import read_comparison
from occupancy.config import Tracking

set_matplotlib_formats("retina")

# %%
store = Tracking(uri=os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///../mlflow.db"))
comparison = read_comparison(store, "forward", least=2)
models = candidates(comparison.groups)
folds = [rows.number for rows in comparison.folds]
Markdown(
    f"**Few visits.** The {comparison.rows:,} test rows are {comparison.label_runs} label runs (stretches of one true "
    "count), and rows half a minute apart are nearly equal. So a share below rests on some dozen visits: it says what "
    "happened on this log, and guarantees nothing about another."
)

# %% [markdown]
# ## Where is each model unsure?
#
# Look for orange above blue: there, the error of a model is larger than it says. The upper panel is by the true count,
# the lower by the time since people came or left. Both are root mean squares in people, over all folds and seeds.

# %% tags=["side"] alt="Predicted spread and error of a model by true count and by time since it changed"
max_gap = float(comparison.newest.params["data.max_gap"])
display(*(uncertainty.where_unsure(group, max_gap) for group in models))

# %% [markdown]
# ## Is the 90 % interval honest?
#
# Look at how far the marks are from the dashed line, at nine of ten rows. Far to the right is not good either: such an
# interval is wider than it has to be.

# %% alt="Share of rows in the 90 % interval of every model, a mark for each fold"
held = pd.DataFrame(
    {group.title: [group.fold_mean("coverage_90", fold) for fold in folds] for group in models}, folds
).T
fold_dots(held, "The 90 % interval over all rows: right of the line it is wider than asked", "rows inside", 0.9)

# %% [markdown]
# Now the same for occupied rows only. Most rows are of an empty room and easy to cover; look for the marks that moved
# to the left.

# %% alt="Share of occupied rows in the 90 % interval of every model, a mark for each fold"
occupied = pd.DataFrame(
    {group.title: [group.fold_mean("coverage_90_occupied", fold) for fold in folds] for group in models}, folds
).T
fold_dots(occupied, "The 90 % interval over occupied rows: left of the line it fails", "occupied rows inside", 0.9)

# %% [markdown]
# And for other levels than 90 %: look whether the solid lines follow the dashed one. Counts are whole numbers, so an
# interval covers more than it is asked to; the dashed line is what the model's own probabilities promise.

# %% tags=["side"] alt="Share of rows that a model's intervals hold by the share asked for"
display(*map(uncertainty.interval_curve, models))

# %% [markdown]
# ## Is a band of two standard deviations honest?
#
# The report drew the spread of the Monte-Carlo dropout passes as a band. In a Normal distribution, 95 % lie within two
# standard deviations. First the whole spread of every model, then only the part by which the samples (passes, draws,
# networks or trees) disagree, which is what the report drew. Look at how much lower the second is.

# %% alt="Share of rows within two standard deviations of the mean, a mark for each fold"
whole = pd.DataFrame({group.title: uncertainty.band_by_fold(group) for group in comparison.groups}, folds).T
fold_dots(whole, "Mean ± 2 std: left of the line the band is too narrow", "share of rows within", 0.95)

# %% alt="Share of rows within two standard deviations of the samples alone, a mark for each fold"
sampling = [group for group in comparison.groups if uncertainty.samples(group)]
alone = pd.DataFrame(
    {group.title: uncertainty.band_by_fold(group, "epistemic") for group in sampling}, folds, dtype=float
).T
fold_dots(
    alone, "Mean ± 2 spreads of the samples alone: left of the line it is too narrow", "share of rows within", 0.95
)

# %% [markdown]
# ## What does it bring not to answer the least certain rows?
#
# Look at the red point: the error that is left if the least certain fifth of the rows is not answered. If a curve does
# not rise to the right, the spread does not show where the errors are.

# %% tags=["side"] alt="MSE of a model's surest rows by how many are kept"
display(*map(uncertainty.selective_prediction, models))

# %% [markdown]
# In numbers, averaged over seeds:

# %%
keys = {
    "90 % interval holds": "coverage_90_pooled",
    "of occupied rows": "coverage_90_occupied_pooled",
    "MSE, all rows (people²)": "mse_pooled",
    "MSE, surest 80 % (people²)": "mse_kept_80_pooled",
}
figures = pd.DataFrame({group.title: {name: group.mean(key) for name, key in keys.items()} for group in models}).T
figures.round(3)

# %% [markdown]
# ## Answer

# %%
best = models[0]
everywhere, busy, error, kept = figures.loc[best.title]
effect = "lowers" if kept < error else "does not lower"
Markdown(
    f"The 90 % interval of the best model, **{best.title}**, contains {everywhere:.1%} of the rows and {busy:.1%} of "
    f"the occupied ones; leaving out the least certain fifth {effect} the MSE, from {error:.3f} to {kept:.3f} people²."
)
