"""Journals that other processes left behind: what is in them is brought to their servers."""

import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from fmnist.errors import BadInput, WorkFailed
from fmnist.tracking.address import check_server, without_password
from fmnist.tracking.attempts import is_denied, is_outage, requests_with
from fmnist.tracking.offline import journal
from fmnist.tracking.offline.delivery import Delivery
from fmnist.tracking.offline.journal import Journal
from fmnist.tracking.offline.queue import deliver_first

_DONE, _REFUSED, _INCOMPLETE = 0, 1, 5
_SECONDS_A_REQUEST = 30


def sync(place: Path) -> int:
    """Deliver every journal in a folder to its server, and say what became of it; the exit code.

    Raises:
        BadInput: a folder there is no journal, or a record in it is damaged.
    """
    codes = [_deliver(folder) for folder in journal.folders(place)]
    return _REFUSED if _REFUSED in codes else max(codes, default=_DONE)


@cache
def catch_up(store: str) -> None:
    """Deliver what earlier processes could not tell a server, as far as it goes; once a process.

    Whoever looks for runs afterwards finds them complete.
    """
    for folder in journal.folders(journal.root()):
        try:
            if journal.about(folder).store == store:
                _deliver(folder)
        except BadInput as error:
            print(f"tracking: {error}", file=sys.stderr)


def _deliver(folder: Path) -> int:
    try:
        kept = Journal.found(folder)
    except BlockingIOError:
        print(f"tracking: {folder}: left to the process that works on it")
        return _DONE
    store, run_id, count = kept.about.store, kept.about.run_id, 0
    with closing(kept):
        # The address in use may hold the password that a journal never does.
        if without_password(mlflow.get_tracking_uri()) != store:
            mlflow.set_tracking_uri(store)
        client = MlflowClient()
        delivery = Delivery(client, run_id)
        try:
            check_server(store)
            while _delivered(kept, delivery):
                count += 1
            with requests_with(retries=1, seconds=_SECONDS_A_REQUEST):
                status = client.get_run(run_id).info.status
        except (WorkFailed, OSError, mlflow.MlflowException) as error:
            print(
                f"tracking: run {run_id}: {count} records delivered, {len(kept)} are kept in "
                f"{folder}: {error}",
                file=sys.stderr,
            )
            return _INCOMPLETE
        told = f"tracking: run {run_id}: {count} records delivered to {store}, it is {status}"
        if kept.refused:
            print(f"{told}; refused, and kept: {', '.join(map(str, kept.refused))}")
            return _REFUSED
        if status == "RUNNING":
            told += "; its process was killed: `python -m fmnist reap --really` ends it"
        print(told)
        return _DONE


def _delivered(kept: Journal, delivery: Delivery) -> bool:
    """Whether there was a record, which is delivered, or else set aside and said to be refused."""
    try:
        return deliver_first(kept, delivery)
    except BadInput:
        raise
    except Exception as error:
        if is_outage(error) or is_denied(error):
            raise
        print(f"tracking: {kept.about.store} refuses a record: {error}", file=sys.stderr)
        return True
