"""Upload the records that earlier processes kept on disk."""

import sys
from contextlib import closing
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from fmnist.errors import BadInput, WorkFailed
from fmnist.system.redaction import without_password
from fmnist.tracking.address import configure_mlflow
from fmnist.tracking.errors import is_denied, is_outage
from fmnist.tracking.lookup import check_server
from fmnist.tracking.offline import journal as journals
from fmnist.tracking.offline.delivery import Delivery
from fmnist.tracking.offline.journal import Journal
from fmnist.tracking.offline.queue import deliver_first

_UPLOADED, _REJECTED, _INCOMPLETE = 0, 1, 5  # exit codes


def sync(folder: Path | None = None) -> int:
    """Upload all journals in a directory, print the result of each, and return the exit code.

    Args:
        folder: one journal or a directory of journals; by default all on this machine.

    Raises:
        BadInput: the directory contains no journal, or a record in it is damaged.
    """
    configure_mlflow()
    if folder and not folder.is_dir():
        raise BadInput(
            f"{folder}: no such directory; the journal of a run is deleted once all its records "
            "have been uploaded"
        )
    folder = folder.absolute() if folder else journals.journal_root()
    folders = journals.find_journals(folder)
    if not folders:
        print(f"nothing to do: no records in {folder}")
    codes = [_upload(journal) for journal in folders]
    return _REJECTED if _REJECTED in codes else max(codes, default=_UPLOADED)


def upload_earlier_records(store: str) -> None:
    """Upload the records of earlier processes for one server, as far as possible.

    Args:
        store: URI of the server without password.
    """
    for folder in journals.find_journals(journals.journal_root()):
        try:
            if journals.read_ref(folder).store == store:
                _upload(folder)
        except BadInput as error:
            print(f"tracking: {error}", file=sys.stderr)


def _upload(folder: Path) -> int:
    try:
        journal = Journal(folder)
    except BlockingIOError:
        print(f"tracking: {folder} is in use by a running process; skipped")
        return _UPLOADED
    with closing(journal):
        (store, run_id), before = journal.ref, len(journal)
        current = mlflow.get_tracking_uri()  # may contain the password, which no journal does
        try:
            check_server(store)
            client = MlflowClient(current if without_password(current) == store else store)
            delivery = Delivery(client, run_id)
            while journal:
                _deliver_first(journal, delivery)
            status = client.get_run(run_id).info.status
        except (WorkFailed, OSError, mlflow.MlflowException) as error:
            waiting = len(journal)
            print(
                f"tracking: run {run_id}: {before - waiting} records uploaded, {waiting} are kept "
                f"in {folder}: {error}",
                file=sys.stderr,
            )
            return _INCOMPLETE
        result = f"tracking: run {run_id}: {before} records uploaded to {store}, status {status}"
        if rejected := journal.rejected:
            print(f"{result}; rejected and kept: {', '.join(map(str, rejected))}")
            return _REJECTED
        if status == "RUNNING":
            result += "; its process was killed: `python -m fmnist reap --really` ends the run"
        print(result)
        return _UPLOADED


def _deliver_first(journal: Journal, delivery: Delivery) -> None:
    """Deliver the oldest record, or set it aside if the server rejects it."""
    try:
        deliver_first(journal, delivery)
    except Exception as error:
        # BadInput: the record is damaged, and cannot be set aside without its owner.
        if isinstance(error, BadInput) or is_outage(error) or is_denied(error):
            raise
        print(f"tracking: {journal.ref.store} rejects a record: {error}", file=sys.stderr)
