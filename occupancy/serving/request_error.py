"""A mistake in a request to a served model, as the package and MLflow's server both understand it."""

from __future__ import annotations

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from occupancy.errors import InputError


class RequestError(InputError, MlflowException):
    """What is wrong with a frame, in one line; MLflow's server answers 400 with it instead of the stack."""

    def __init__(self, message: str) -> None:
        MlflowException.__init__(self, message, error_code=INVALID_PARAMETER_VALUE)
