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
# # What do the sensors know about the count, and what would flatter us?
#
# The log is the real one; it is found or downloaded as for every training.

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib_inline.backend_inline import set_matplotlib_formats
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold, cross_val_score

from occupancy.comparison.dots import fold_dots
from occupancy.config.parsing import load_config
from occupancy.data.folds import cut, load_scheme
from occupancy.data.source import open_log
from occupancy.execution.fold import run_fold
from occupancy.exploration import air, correlations, day, labels, lags, recording, sensors, splits
from occupancy.exploration.parts import Subject
from occupancy.features.sensors import columns_of
from occupancy.models.estimator import NO_STEPS
from occupancy.plots.figure import NARROW, WIDTH

set_matplotlib_formats("retina")

# %%
config = load_config("../configs/random_forest.yaml", ["data.source=uci"])
log, _ = open_log(config.data)
folds = cut(log, load_scheme("forward"))
numbers = [fold.number for fold in folds]
subject = Subject(log, folds=folds, scheme="forward")

# %% [markdown]
# ## What the log looks like
#
# `occupancy explore` writes a page with the same pictures, for this log or any other.

# %% [markdown]
# ### Recordings
#
# Look for the blank stretches: the log is a few days with long breaks, not a month.

# %% alt="Recordings and gaps on the time axis"
found = recording.times(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ### Labels
#
# Look at the first bar, and then at how few dots there are: the log has many rows, but few visits.

# %%
found = labels.section(subject)
Markdown(found.finding)

# %% tags=["side"] alt="Share of rows with each count; length of each run of equal count"
display(*(picture.draw(NARROW) for picture in found.pictures))

# %% [markdown]
# ### A day
#
# Grey marks the time when somebody is in the room. Look at which sensors react at once, and which slowly.

# %% alt="Count and sensors over the first day"
found = day.section(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ### Readings under each count
#
# Look for boxes that do not overlap: there, a single reading separates two counts for most rows.

# %% alt="Readings of each sensor for each count"
found = sensors.section(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ### Together at the same moment
#
# Look along the first row to see which sensors follow the count, and at the dark block of temperatures, which repeat
# each other.

# %% alt="Rank correlation of every two columns"
found = correlations.section(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ### Together, but later
#
# Look at how far to the right the dots are: temperature and CO2 keep rising long after people have arrived.

# %% alt="Correlation of the count with each sensor over the lag"
found = lags.delays(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ### A row and the next
#
# Look at where the curves begin, at the left edge: near 1, a row is almost a copy of the row before.

# %% alt="Correlation of each column with itself over the lag"
found = lags.autocorrelation(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ### The air after people left
#
# Look at how well the dots follow the lines. Where they do, the room loses the same share of its CO2 every minute, so a
# model of the air can use one constant.

# %% alt="CO2 above outdoors after people left, with fitted decays"
found = air.section(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ### Past and future
#
# Look at the dark cells on the right: there, the test rows have readings that never occur in the training rows.

# %% alt="Distance of test from training readings, fold by fold"
found = splits.drift(subject)
display(Markdown(found.finding), *(picture.draw(WIDTH) for picture in found.pictures))

# %% [markdown]
# ## Light gives the answer away
#
# The lamps of this room are on when people are in, which is not so in most rooms. One forest is trained with the light
# sensors and one without them; each is trained on the past and tested on the next block of time. Nothing is chosen on
# test rows: both have the settings of `configs/random_forest.yaml`. Look at the distance between the two bars.

# %% alt="Macro-F1 of a forest with and without light sensors, a mark for each fold"
with_light = config.model_copy(update={"features": "all"})
scores = {
    name: [run_fold(one, fold, NO_STEPS).metrics["f1_macro"] for fold in folds]
    for name, one in (("with light", with_light), ("without light", config))
}
light = pd.DataFrame(scores, numbers).T
fold_dots(
    light, "Macro-F1 of a random forest, with and without light: longer is better", "macro-F1, tested later in time"
)

# %% [markdown]
# ## A random split flatters
#
# Rows half a minute apart are nearly equal. In a random split, almost every test row has a neighbour among the training
# rows, so a forest that only memorises seems to know. Below, the forest, the columns (no light) and the score are the
# same, and only the split differs: at random; four blocks of time, each tested by a forest trained on the other three;
# and the past only, tested on what follows. This shows the effect of a split; it chooses nothing. Look at how much of
# the first bar is left.

# %% alt="Macro-F1 of a forest for a random split and two splits in time, a mark for each fold"
readings = log.frame[[column.name for column in columns_of(log, config.features)]].to_numpy()
people = log.frame[log.schema.count].to_numpy()
forest = RandomForestClassifier(
    config.model.trees,
    max_depth=config.model.max_depth,
    min_samples_leaf=config.model.min_samples_leaf,
    random_state=config.seed,
)
ways = {
    "at random": KFold(len(folds), shuffle=True, random_state=config.seed),
    **{
        name: [(np.flatnonzero(fold.train | fold.validation), np.flatnonzero(fold.test)) for fold in blocks]
        for name, blocks in (("blocks of time", cut(log, load_scheme("blocked"))), ("past, then future", folds))
    },
}
split = pd.DataFrame(
    {name: cross_val_score(forest, readings, people, cv=cv, scoring="f1_macro") for name, cv in ways.items()}, numbers
).T
fold_dots(split, "The same forest, split three ways: the random split flatters it", "macro-F1, without light")

# %% [markdown]
# ## Answer

# %%
score, shown = light.mean(axis=1), split.mean(axis=1)
runs = labels.runs_of(subject)
Markdown(
    f"The log is {len(log.frame):,} rows, but only {len(runs)} runs of equal count. The forest's macro-F1 on later "
    f"rows is {score['with light']:.2f} with the light sensors and {score['without light']:.2f} without them: "
    f"{1 - score['without light'] / score['with light']:.0%} of the score is the lamps. A random split would have "
    f"shown {shown['at random']:.2f} without light, where a split in time shows {shown['blocks of time']:.2f} (blocks) "
    f"or {shown['past, then future']:.2f} (past, then future)."
)
