"""Where to see a run: its name, its page and the list of runs in MLflow's UI, its version."""

import shlex
from typing import Final

from fmnist.system.redaction import without_password
from fmnist.tracking.address import is_server
from fmnist.tracking.run import Run

_LOCAL_UI: Final = "http://127.0.0.1:5000"
# Without it, MLflow 3.17 always opens its view of GenAI applications.
VIEW: Final = "?workflowType=machine_learning"


def describe_run(tracked: Run) -> dict[str, str]:
    """Return name, links and registered version of a run, by label, to be shown to the user."""
    client, run_id = tracked.client, tracked.run_id
    info, store = client.get_run(run_id).info, without_password(client.tracking_uri)
    lines = {"run": f"{info.run_name} ({run_id})"}
    ui = store.rstrip("/")
    if not is_server(store):
        lines["show"] = f"mlflow ui --backend-store-uri {shlex.quote(store)}"
        ui = _LOCAL_UI
    experiment = f"{ui}/#/experiments/{info.experiment_id}"
    lines |= {"link": f"{experiment}/runs/{run_id}{VIEW}", "all runs": f"{experiment}/runs{VIEW}"}
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    if versions:
        lines["model"] = ", ".join(f"{each.name} version {each.version}" for each in versions)
    return lines
