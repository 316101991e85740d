"""MLflow's server, whose pages begin with the training of models in place of language models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# A browser keeps which of the two its user works with, and MLflow's pages start with language models. An address can
# name the other, but the links from page to page don't: a click on a run would lead away from what belongs to a model.
_SCRIPT = """<script>
const kept = "mlflow.workflowType_v1";
if (localStorage.getItem(kept) === null) localStorage.setItem(kept, JSON.stringify("machine_learning"));
</script>"""


def app() -> Any:
    """Return the application that ``mlflow server --app-name occupancy`` serves."""
    # Late: MLflow imports this module where it starts the process that serves, which alone needs all this.
    from mlflow.server import app as pages  # noqa: PLC0415
    from mlflow.server.fastapi_app import app as server  # noqa: PLC0415

    page = Path(str(pages.static_folder), "index.html").read_text(encoding="utf-8")
    pages.view_functions["serve"] = lambda: page.replace("<head>", f"<head>{_SCRIPT}", 1)
    return server
