"""All of MLflow: the store, runs, and what is written and read."""

import logging
import os

# Read by MLflow when it is imported: it must print nothing between our lines and report to nobody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# It logs an error of a database with its whole traceback, and then raises it, for us to say in a line.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # if it was imported before
