"""The model registry: versions of a registered name and their aliases."""

import time
from collections.abc import Mapping
from typing import Final

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.options import Crossval, Options, Train
from fmnist.results.runs import RunRecord
from fmnist.results.training import StoredModel
from fmnist.tracking.client import REGISTERED_MODEL, register_version, search_all
from fmnist.tracking.model import WEIGHTS_DIR
from fmnist.tracking.search import RunStore

_ABSENT: Final = "RESOURCE_DOES_NOT_EXIST"
_LOGGED_MODEL: Final = "models:/m-"
_FILES: Final = (
    names.PREDICTIONS_VALIDATION, names.PREDICTIONS_TEST, names.TABLE_PER_CLASS,
)  # fmt: skip
_VERSION_TAGS: Final = (names.TAG_MODEL, names.TAG_WEIGHTS)
_TEXT_LENGTH: Final = 5000  # of descriptions and tags in MLflow's databases


class Registry:
    """The versions of one registered name."""

    def __init__(self, client: MlflowClient, name: str) -> None:
        self._client = client
        self._runs = RunStore()
        self.name = name

    def candidate(self, run_id: str) -> StoredModel:
        """Return the model to promote, which must be complete and from a FINISHED run.

        Args:
            run_id: of a run of `train`, or `auto` for the newest version.

        Raises:
            BadInput: there is no such model, or it cannot be used.
        """
        versions = self._versions()
        if run_id == "auto":
            if not versions:
                raise BadInput(
                    f"register_as={self.name}: this registry has no version of that name; train "
                    f"with register_as={self.name}, or name a run of train with run=RUN_ID"
                )
            run_id = versions[-1].run_id or ""
        run = self._runs.find(run_id)
        if run is None:
            raise BadInput(f"run={run_id}: no such run in this tracking store")
        if (run.kind, run.status) != ("train", "FINISHED"):
            raise BadInput(
                f"run={run_id}: expected a FINISHED run of train, got a {run.kind} run that is "
                f"{run.status}"
            )
        model_id = self._complete_model(run)
        same = [v for v in versions if v.source == f"models:/{model_id}"]
        return self._stored_model(run, model_id, same[0] if same else None)

    def champion(self) -> StoredModel | None:
        """Return the model in use, None if the name has none."""
        number = self._alias(names.CHAMPION)
        if number is None:
            return None
        version = self._client.get_model_version(self.name, str(number))
        source, run_id = version.source or "", version.run_id or ""
        model_id = source.removeprefix("models:/") if source.startswith(_LOGGED_MODEL) else ""
        run = self._runs.find(run_id)
        if run is None:
            problem = f"the run of version {number} is not in this store: {run_id}"
            return StoredModel(run_id, model_id, number, version.tags, {}, {}, {}, {}, problem)
        return self._stored_model(run, model_id, version)

    def out_of_fold(self, model: StoredModel) -> bytes | None:
        """Return the out-of-fold predictions of the newest matching cross-validation.

        It must have the same data and options; the seeds may differ.
        """
        same_data = {names.TAG_DATA_DIGEST: model.tags.get(names.TAG_DATA_DIGEST, "")}
        wanted = _configuration(Train, model.params)
        for run in self._runs.search("crossval", same_data):
            if run.is_finished and _configuration(Crossval, run.parameters) == wanted:
                files = self._runs.download(run, [names.PREDICTIONS_OUT_OF_FOLD])
                return files.get(names.PREDICTIONS_OUT_OF_FOLD)
        return None

    def publish(self, model: StoredModel, card: str, run_id: str, status: str) -> int:
        """Register the model if necessary, store its card, and return its version number.

        Args:
            card: the model card, in Markdown.
            run_id: the run of `promote`.
            status: `approved`, or `rejected` if it is promoted despite the gates.
        """
        version = model.version or register_version(
            self._client,
            model.model_id,
            self.name,
            {name: model.tags[name] for name in _VERSION_TAGS if name in model.tags},
        )
        if len(card) > _TEXT_LENGTH:
            rest = f"\n\n… the complete card is {names.MODEL_CARD} of run {run_id}."
            card = card[: _TEXT_LENGTH - len(rest)] + rest
        if not self._client.get_registered_model(self.name).description:
            self._client.update_registered_model(self.name, REGISTERED_MODEL)
        self._client.update_model_version(self.name, str(version), card)
        self._tag(version, names.VALIDATION_STATUS, status)
        self._tag(version, names.VERSION_PROMOTED_BY, run_id)
        for outdated in (names.VERSION_ROLLED_BACK, names.VERSION_REJECTED):
            if outdated in model.version_tags:
                self._client.delete_model_version_tag(self.name, str(version), outdated)
        return version

    def reject(self, version: int, reason: str) -> None:
        """Tag a version as rejected, with the reason."""
        self._tag(version, names.VALIDATION_STATUS, names.REJECTED)
        self._tag(version, names.VERSION_REJECTED, reason[:_TEXT_LENGTH])

    def set_challenger(self, version: int) -> None:
        """Set the alias `challenger`, unless it points to a newer version."""
        if version > (self._alias(names.CHALLENGER) or 0):
            self._client.set_registered_model_alias(self.name, names.CHALLENGER, str(version))

    def set_champion(self, version: int, previous: StoredModel | None) -> None:
        """Set the alias `champion`.

        Raises:
            WorkFailed: the champion is no longer the one that the version was compared with.
        """
        current = self._alias(names.CHAMPION)
        if current != (previous.version if previous else None):
            raise WorkFailed(
                f"another machine made version {current} the champion of {self.name} in the "
                "meantime; nothing was changed, run again to compare with that version"
            )
        self._client.set_registered_model_alias(self.name, names.CHAMPION, str(version))

    def roll_back(self, version: int) -> str:
        """Move `champion` back to a version, tag the one it leaves, and return a description.

        Raises:
            BadInput: there is no such version.
        """
        current = self._alias(names.CHAMPION)
        if version not in [int(v.version) for v in self._versions()]:
            raise BadInput(f"to_version={version}: {self.name} has no such version")
        self._client.set_registered_model_alias(self.name, names.CHAMPION, str(version))
        if current is None or current == version:
            return f"{self.name}: the champion is version {version}"
        time_utc = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._tag(current, names.VERSION_ROLLED_BACK, f"{time_utc}: back to version {version}")
        return f"{self.name}: the champion is version {version} again, no longer version {current}"

    def _versions(self) -> list[ModelVersion]:
        """Return all versions, the oldest first."""
        versions = search_all(self._client.search_model_versions, f"name='{self.name}'")
        return sorted(versions, key=lambda version: int(version.version))

    def _tag(self, version: int, name: str, text: str) -> None:
        self._client.set_model_version_tag(self.name, str(version), name, text)

    def _alias(self, alias: str) -> int | None:
        """Return the version that the alias points to."""
        try:
            aliases = self._client.get_registered_model(self.name).aliases
        except MlflowException as error:
            if error.error_code != _ABSENT:  # an outage does not mean that there is no champion
                raise
            return None
        return int(aliases[alias]) if alias in aliases else None

    def _complete_model(self, run: RunRecord) -> str:
        """Return the id of the run's logged model after checking that all its files are stored.

        MLflow itself also registers a model whose upload was interrupted.
        """
        expected = f"run={run.run_id}: expected a run with one complete model"
        outputs = self._client.get_run(run.run_id).outputs
        models = outputs.model_outputs if outputs else []
        if not run.model_id or len(models) != 1:
            raise BadInput(f"{expected}, got {len(models)} models")
        try:
            status = str(self._client.get_logged_model(run.model_id).status)
            files = self._client.list_logged_model_artifacts(run.model_id, WEIGHTS_DIR)
        except MlflowException as error:
            raise BadInput(f"{expected}, got one that cannot be read: {error}") from error
        size = sum(file.file_size or 0 for file in files)
        logged_size = run.metrics.get(names.MODEL_BYTES)
        if status != "READY" or size != logged_size:
            raise BadInput(
                f"{expected}, got {run.model_id}, which is {status} with {size:,} of "
                f"{logged_size or 0:,.0f} bytes; train again"
            )
        return run.model_id

    def _stored_model(
        self, run: RunRecord, model_id: str, version: ModelVersion | None
    ) -> StoredModel:
        return StoredModel(
            run_id=run.run_id,
            model_id=model_id,
            version=int(version.version) if version else None,
            version_tags=version.tags if version else {},
            params=run.parameters,
            tags=run.tags,
            metrics=run.metrics,
            files=self._runs.download(run, _FILES),
        )


def _configuration(options: type[Options], params: Mapping[str, str]) -> dict[str, str]:
    """Return the options of `train` and `crossval` that determine how a network is trained."""
    shared = Train.model_fields.keys() & Crossval.model_fields.keys() - {"seed", "split_seed"}
    effective = options.from_text(params).fingerprint_fields()
    return {name: text for name, text in effective.items() if name in shared}
