"""Versions of a registered name."""

import json
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from fmnist.tracking.attempts import get_or_create, is_denied, is_outage


def register(client: MlflowClient, model_id: str, name: str, tags: Mapping[str, str]) -> int:
    """The version number under which the logged model stands in the registry; asked for again, or
    after an answer that was lost, the same.
    """
    source = f"models:/{model_id}"

    def find() -> ModelVersion | None:
        same = [v for v in versions(client, name) if v.source == source]
        return same[0] if same else None

    def make() -> ModelVersion:
        _make_name(client, name)
        return client.create_model_version(name, source, tags=dict(tags), model_id=model_id)

    version = get_or_create(find, make)
    # MLflow's page of the logged model finds its versions here.
    listed = client.get_logged_model(model_id).tags.get(MLFLOW_MODEL_VERSIONS, "[]")
    entry = {"name": name, "version": version.version}
    if entry not in json.loads(listed):
        both = json.dumps([*json.loads(listed), entry])
        client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: both})
    return int(version.version)


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All versions of a name, the oldest first."""
    found: list[ModelVersion] = []
    token: str | None = ""
    while token is not None:
        page = client.search_model_versions(f"name='{name}'", page_token=token or None)
        found += page
        token = page.token or None
    return sorted(found, key=lambda version: int(version.version))


def _make_name(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if is_outage(error):
            raise
        try:
            client.get_registered_model(name)
        except MlflowException as another:
            if is_denied(another):  # it is there, and somebody else's
                raise
            raise error from another
