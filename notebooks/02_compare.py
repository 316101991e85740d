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
# # Which model should I pick, and how sure is that?
#
# This reads the runs that `make compare` recorded, from the store in `MLFLOW_TRACKING_URI` or else from `mlflow.db` of
# this checkout. All models were tested on the same rows, which are later than their training rows.

# %%
import os

import pandas as pd
from IPython.display import Markdown, display
from matplotlib_inline.backend_inline import set_matplotlib_formats

from occupancy.comparison import panels, ranking
from occupancy.comparison.groups import candidates
from occupancy.comparison.reading import read_comparison
from occupancy.config import Tracking

set_matplotlib_formats("retina")

# %%
store = Tracking(uri=os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///../mlflow.db"))
comparison = read_comparison(store, "forward", least=2)
Markdown(ranking.facts(comparison))

# %% [markdown]
# ## The ranking
#
# Look at the last column first: an interval that contains zero means that these few visits cannot tell the model from
# the best one.

# %%
cells = ranking.table(comparison)
headings = [" ".join(heading).strip() for heading in cells.headings]
table = pd.DataFrame(cells.rows, columns=headings).replace("\n", " ", regex=True)
table = table.set_index(headings[0]).rename_axis(None)
table.iloc[:, : cells.scores - 1]

# %% [markdown]
# The cost of each model:

# %%
table.iloc[:, cells.scores - 1 :]

# %%
Markdown("\n\n".join(ranking.notes(comparison)))

# %% [markdown]
# ## Does one fold decide?
#
# Look for a fold in which all bars are long: it has the same weight in the mean as the others, for every model.

# %% alt="A bar for the MSE of every model in each fold"
panels.fold_bars(comparison, "mse", "MSE in each fold: shorter is better", "people squared")

# %% [markdown]
# ## What the errors look like
#
# Look at the red stripes: errors are mostly whole visits, and rarely single rows.

# %% tags=["wide"] alt="True and predicted count of every model over the first fold"
max_gap = float(comparison.newest.params["data.max_gap"])
first = comparison.folds[0].number
title = f"Fold {first}: where each model's label leaves the truth"
panels.labels_over_time(comparison.groups, first, title, max_gap)

# %% [markdown]
# ## Can the confidence be trusted?
#
# Look for points below the dashed line: there, a model is more confident than it is right. Grey bars count the rows; a
# point above a tiny bar means little.

# %% tags=["side"] alt="Reliability of a model"
models = candidates(comparison.groups)
display(*map(panels.reliability, models))

# %% [markdown]
# ## Answer

# %%
best, *others = models
level = "; ".join(group.title for group in others if not group.low > 0)
worse = "; ".join(group.title for group in others if group.low > 0)
Markdown(
    f"Pick **{best.title}**: of the {len(models)} models that did not stop on the test rows or look ahead, it has the "
    f"smallest MSE, {best.mean('mse_avg'):.3f} people². This is not certain: {comparison.label_runs} label runs "
    f"cannot tell {level or 'any other model'} from it, and show that {worse or 'no other model'} is worse."
)
