"""Where to see a run: its name, its page in MLflow's UI, and the registered version."""

import shlex

from fmnist.system.redaction import without_password
from fmnist.tracking.address import is_server
from fmnist.tracking.run import Run

_LOCAL_UI = "http://127.0.0.1:5000"


def describe_run(tracked: Run) -> dict[str, str]:
    """Return name, link and registered version of a run, by label, to be shown to the user."""
    client, run_id = tracked.client, tracked.run_id
    info, store = client.get_run(run_id).info, without_password(client.tracking_uri)
    page = f"#/experiments/{info.experiment_id}/runs/{run_id}"
    lines = {"run": f"{info.run_name} ({run_id})"}
    if is_server(store):
        lines["link"] = f"{store.rstrip('/')}/{page}"
    else:
        lines["show"] = f"mlflow ui --backend-store-uri {shlex.quote(store)}"
        lines["link"] = f"{_LOCAL_UI}/{page}"
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    if versions:
        lines["model"] = ", ".join(f"{each.name} version {each.version}" for each in versions)
    return lines
