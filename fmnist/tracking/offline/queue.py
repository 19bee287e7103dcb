"""Write the records of a run: at once to a database, or through a journal to a server."""

import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from mlflow import MlflowClient

from fmnist.errors import BadInput, Interrupted, WorkFailed
from fmnist.system.redaction import redact, without_password
from fmnist.tracking.address import is_server
from fmnist.tracking.errors import is_denied, is_outage
from fmnist.tracking.offline import journal as journals
from fmnist.tracking.offline.delivery import Delivery
from fmnist.tracking.offline.journal import FileWriter, Journal, RunRef

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 5.0  # seconds between attempts
_SECONDS_TO_STOP: Final = 1.0


class DirectWriter:
    """Writes each record in the calling thread."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def put(self, kind: str, write_files: FileWriter | None = None, **fields: Any) -> None:
        """Write a record of this type, see `Delivery.deliver`, with files from `write_files`."""
        with tempfile.TemporaryDirectory() as folder:
            if write_files:
                _write_redacted(write_files, Path(folder))
            self._delivery.deliver(_record_body(kind, fields), Path(folder))

    def flush(self, timeout_seconds: float) -> float:
        return timeout_seconds

    def close(self) -> str:
        return ""


class Queue:
    """Writes each record to the journal; a thread delivers them to the server in order.

    During an outage the caller continues, and delivery is repeated with growing pauses.
    """

    def __init__(self, journal: Journal, delivery: Delivery) -> None:
        self._journal = journal
        self._delivery = delivery
        self._changed = threading.Condition()
        self._is_closed = False
        self._outage: Exception | None = None
        self._rejection: Exception | None = None
        self._informed_threads: set[int] = set()  # in which the rejection was raised
        self._thread = threading.Thread(target=self._work, name="delivery", daemon=True)
        self._thread.start()

    def put(self, kind: str, write_files: FileWriter | None = None, **fields: Any) -> None:
        """Store a record on disk, like `DirectWriter.put`.

        Raises:
            Exception: the server rejected an earlier record; raised once per thread.
        """
        self._raise_rejection()
        write = partial(_write_redacted, write_files) if write_files else None
        self._journal.append(_record_body(kind, fields), write)
        with self._changed:
            self._changed.notify_all()

    def flush(self, timeout_seconds: float) -> float:
        """Wait until the server has all records, or for the timeout; return the seconds left.

        A signal ends the waiting without an exception, because the work itself is finished.

        Raises:
            Exception: the server rejected a record; raised once per thread.
        """
        deadline = time.monotonic() + timeout_seconds
        try:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._has_new_rejection() or not self._journal, timeout_seconds
                )
            self._raise_rejection()
        except Interrupted:
            return 0
        return max(deadline - time.monotonic(), 0)

    def close(self) -> str:
        """Stop; return which records have not been uploaded and why, "" if all have been."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        waiting = len(self._journal)
        # The thread is a daemon: it does not outlive the process while it waits for the server.
        self._thread.join(_SECONDS_TO_STOP)
        if not waiting:
            return ""
        ref = self._journal.ref
        cause = self._rejection or self._outage or "the server is too slow"
        return (
            f"{waiting} records of run {ref.run_id} have not been uploaded to the tracking server "
            f"{ref.store} ({_first_line(cause)}); they are kept on disk; when the server is "
            f"available, run: python -m fmnist sync {self._journal.folder}"
        )

    def _has_new_rejection(self) -> bool:
        return self._rejection is not None and threading.get_ident() not in self._informed_threads

    def _raise_rejection(self) -> None:
        if self._rejection and self._has_new_rejection():
            self._informed_threads.add(threading.get_ident())  # so that the run can still be ended
            raise self._rejection

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        with closing(self._journal):
            while self._wait_for_record():
                try:
                    deliver_first(self._journal, self._delivery)
                except Exception as error:
                    self._handle(error)
                    with self._changed:
                        self._changed.wait_for(lambda: self._is_closed, pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                if self._outage:
                    _print(f"the tracking server {self._journal.ref.store} is available again")
                self._outage, pause = None, _FIRST_PAUSE
                with self._changed:
                    self._changed.notify_all()

    def _wait_for_record(self) -> bool:
        """Wait for a record; return False when the queue was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._journal)
            return not self._is_closed

    def _handle(self, error: Exception) -> None:
        with self._changed:
            if not is_outage(error):
                self._rejection = error
            else:
                if self._outage is None:
                    _print(
                        f"the tracking server {self._journal.ref.store} is unavailable "
                        f"({_first_line(error)}); the work continues, records are kept in "
                        f"{self._journal.folder}"
                    )
                self._outage = error
            self._changed.notify_all()


Writer = DirectWriter | Queue


def deliver_first(journal: Journal, delivery: Delivery) -> None:
    """Deliver the oldest record, if there is one, and delete it.

    Raises:
        Exception: the server did not accept the record. Unless it may accept the record later, the
            record is set aside and the next ones can be delivered. That includes a registered name
            without permission, which must not block the run.
    """
    record = journal.first()
    if record is None:
        return
    try:
        delivery.deliver(record.body, record.files)
    except Exception as error:
        user_denied = is_denied(error) and record.body["type"] != "register"
        if not is_outage(error) and not user_denied:
            journal.set_aside(record)
        raise
    journal.remove(record)


def check_journal(uri: str, resume: str | None) -> None:
    """Check, before a run is opened on a server, that its records can be kept on disk.

    Args:
        resume: the id of the run to resume, None for a new one.

    Raises:
        BadInput: no journal can be written on this machine.
        WorkFailed: records of the run to resume have not been uploaded.
    """
    if not is_server(uri):
        return
    journals.check_writable()
    if resume and (waiting := journals.find_journals(journals.journal_root() / resume)):
        raise WorkFailed(
            f"run {resume} cannot be resumed before all its records have been uploaded; "
            f"python -m fmnist sync {waiting[0]} shows the reason"
        )


def open_writer(client: MlflowClient, run_id: str) -> Writer:
    """Return what writes the records of the run: a queue for a server, else a direct writer."""
    uri = client.tracking_uri
    if not is_server(uri):
        return DirectWriter(Delivery(client, run_id))
    try:
        journal = Journal.create(RunRef(without_password(uri), run_id))
    except OSError as error:
        raise BadInput(f"no records can be kept for run {run_id}: {error}") from error
    return Queue(journal, Delivery(MlflowClient(uri), run_id))


def _record_body(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record, without secrets in its tags."""
    body = {"type": kind, **fields}
    if "tags" in fields:
        body["tags"] = {name: redact(text) for name, text in fields["tags"].items()}
    return body


def _write_redacted(write_files: FileWriter, folder: Path) -> None:
    """Write files, without secrets in text such as tracebacks and recorded output."""
    write_files(folder)
    for path in folder.rglob("*.txt"):
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        path.write_text(redact(text), encoding="utf-8", errors="surrogateescape")


def _first_line(cause: object) -> str:
    """Leave out the HTML page that a server may send with an error."""
    return str(cause).partition("\n")[0]


def _print(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr, flush=True)
