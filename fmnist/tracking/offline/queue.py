"""The way of records to the store: straight into a database, or by a journal to a server."""

import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import mlflow
from mlflow import MlflowClient

from fmnist.errors import Interrupted, TrackingIncomplete, WorkFailed
from fmnist.tracking.address import is_server
from fmnist.tracking.attempts import is_denied, is_outage, requests_with
from fmnist.tracking.offline import journal as journals
from fmnist.tracking.offline.delivery import Delivery
from fmnist.tracking.offline.journal import Fill, Journal, RunRef
from fmnist.tracking.store import store_address

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between attempts
_PAUSE_AT_THE_END: Final = 2.0
_SECONDS_TO_STOP: Final = 1.0


class Queue(Protocol):
    """Takes what is told of a run."""

    def keep(self, body: Mapping[str, Any], fill: Fill | None = None) -> None:
        """Take a record; `fill` writes its files into a folder.

        Raises:
            Exception: the store refuses it, or refused one before it.
        """

    def drain(self, patience_seconds: float) -> None:
        """Return when the store has all, or after the patience.

        Raises:
            Exception: the store refused a record.
        """

    def close(self) -> str:
        """Take nothing more: what the store has not got and why, in words; "" if it has all."""


class Direct:
    """Stores at once, in the calling thread."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def keep(self, body: Mapping[str, Any], fill: Fill | None = None) -> None:
        with tempfile.TemporaryDirectory() as folder:
            if fill:
                fill(Path(folder))
            self._delivery(body, Path(folder))

    def drain(self, patience_seconds: float) -> None:
        """Nothing to do."""

    def close(self) -> str:
        return ""


class Journaled:
    """Keeps every record on disk, from where a thread brings it to the server.

    A server that is slow, gone or ill costs the caller nothing: it is tried again, less and less
    often, and said once.
    """

    def __init__(self, journal: Journal, delivery: Delivery) -> None:
        self._journal = journal
        self._delivery = delivery
        self._changed = threading.Condition()
        self._closed = False
        self._draining = False
        self._outage: Exception | None = None
        self._refusal: Exception | None = None
        self._refusal_raised = False
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def keep(self, body: Mapping[str, Any], fill: Fill | None = None) -> None:
        self._raise_refusal()
        self._journal.append(body, fill)
        with self._changed:
            self._changed.notify_all()

    def drain(self, patience_seconds: float) -> None:
        with self._changed:
            self._draining = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._unsaid_refusal() or not len(self._journal), patience_seconds
            )
        self._raise_refusal()

    def close(self) -> str:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        missing = len(self._journal)
        self._thread.join(_SECONDS_TO_STOP)  # one that waits for the server dies with the process
        if not missing:
            return ""
        about, folder = self._journal.about, self._journal.folder
        cause = self._refusal or self._outage or "it takes longer than there is patience"
        return (
            f"{missing} records of run {about.run_id} are not on the tracking server "
            f"{about.store} ({_line(cause)}); they are kept, nothing is lost; once the server is "
            f"well: python -m fmnist sync {folder}"
        )

    def _raise_refusal(self) -> None:
        """Raise what the server refused, once: how the run ended is told after it."""
        if refusal := self._unsaid_refusal():
            self._refusal_raised = True
            raise refusal

    def _unsaid_refusal(self) -> Exception | None:
        return None if self._refusal_raised else self._refusal

    def _work(self) -> None:
        try:
            self._send()
        finally:
            self._journal.close()

    def _send(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or len(self._journal))
                if self._closed:
                    return
            try:
                deliver_first(self._journal, self._delivery)
            except Exception as error:
                if is_outage(error):
                    self._say_once(error)
                else:
                    self._refusal = error
                self._rest(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if self._outage:
                _say(f"the tracking server {self._journal.about.store} is back")
            self._outage, pause = None, _FIRST_PAUSE
            with self._changed:
                self._changed.notify_all()

    def _rest(self, seconds: float) -> None:
        """Wait before the next attempt; not for long when somebody waits for it."""
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.notify_all()
            while not self._closed and (left := until - time.monotonic()) > 0:
                self._changed.wait(min(left, _PAUSE_AT_THE_END) if self._draining else left)
                if self._draining:
                    return

    def _say_once(self, error: Exception) -> None:
        if self._outage is None:
            _say(
                f"the tracking server {self._journal.about.store} does not take what it is told "
                f"({_line(error)}); the work goes on, records are kept in {self._journal.folder}"
            )
        self._outage = error


def deliver_first(journal: Journal, delivery: Delivery) -> bool:
    """Deliver the oldest record and forget it; whether there was one.

    Raises:
        Exception: the store does not take it. Unless it may do so later, the record is set aside,
            so that those after it can go out; and a name of the registry, which has permissions of
            its own, keeps no run from being told.
    """
    record = journal.first()
    if record is None:
        return False
    try:
        with requests_with(retries=0):  # the journal is what tries again
            delivery(record.body, record.files)
    except Exception as error:
        shut_out = is_denied(error) and record.body["what"] != "register"
        if not is_outage(error) and not shut_out:
            journal.set_aside(record)
        raise
    journal.remove(record)
    return True


def check_journal(resume: str | None) -> None:
    """Return if a run can be opened, or the run of that id again: before the store is told.

    Raises:
        BadInput: no journal can be kept on this machine.
        WorkFailed: the run's journal holds what its server has not got yet.
    """
    if not is_server(mlflow.get_tracking_uri()):
        return
    journals.check_place()
    if resume and (left := journals.folders(journals.root() / resume)):
        raise WorkFailed(
            f"run {resume} cannot go on before the tracking server has all that was told of it; "
            f"python -m fmnist sync {left[0]} says what is in the way"
        )


def queue_for(client: MlflowClient, run_id: str) -> Queue:
    """Where to tell things of a run: to a server by a journal, to a database at once."""
    delivery = Delivery(client, run_id)
    if is_server(mlflow.get_tracking_uri()):
        return Journaled(Journal.of_run(RunRef(store_address(), run_id)), delivery)
    return Direct(delivery)


def drained(queue: Queue, patience: float) -> float:
    """What is left of the patience, in seconds, after the store got what was told, or did not.

    A signal ends the patience, not the run: its work is done.
    """
    until = time.monotonic() + patience
    try:
        queue.drain(patience)
    except Interrupted:
        return 0
    return max(until - time.monotonic(), 0)


def say_incomplete(missing: str) -> None:
    """Raise, unless another exception is on its way: then it is said."""
    if sys.exception():
        _say(missing)
    else:
        raise TrackingIncomplete(missing)


def _line(cause: object) -> str:
    """Without the page that a server may send with its refusal."""
    return str(cause).splitlines()[0]


def _say(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr, flush=True)
