"""Raw samples from the party's own broker through Spark Structured Streaming (requirement S6).

Spark keeps how far it has read, in the party's folder; a batch that broke off is taken again,
which changes nothing. The look-up engine has the features at once; the batch engine gets them by
the next `tally features refresh`, which also compares them with those of the training.
"""

import os
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from operator import itemgetter
from pathlib import Path

import structlog
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from party.errors import LinkError
from party.listening import MESSAGE_TYPE, NOTE_SECONDS, broker_of, note_stream
from party.opening import Party
from party.sample_stream import FORMAT, SampleStream, bury, declare_stream, stream_queue
from party.samples import open_samples
from party.settings import from_environment
from scoring.digests import FeatureDigest
from scoring.errors import RawSampleError
from scoring.raw_samples import RawRow
from scoring.samples import Samples
from scoring.spark_arriving import SparkArrivals

LOOK_SECONDS = 0.2

log = structlog.get_logger()


def spark_session(master: str, name: str) -> SparkSession:
    """With the cluster's tables, by Spark's own configuration. Raises LinkError.

    On this machine Spark's Python is this one, which has what samples are read with.
    """
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName(name)
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    try:
        return builder.enableHiveSupport().getOrCreate()
    except (PySparkException, OSError) as error:
        raise LinkError(f"Spark does not start at {master}: {type(error).__name__}") from None


def listen_by_spark(
    party: Party,
    kind: str | None,
    stopping: threading.Event,
    session: SparkSession,
    broker: str | None = None,
) -> None:
    """Take samples until `stopping` is set.

    Raises SettingsError, ScoringError, BusError, and LinkError where Spark gives up.
    """
    with open_samples(party.settings, party.folder.path, kind) as samples:
        listener = SparkListener(party, samples, broker_of(samples, broker), session)
        samples.release()
        query = listener.start()
        try:
            listener.run(query, stopping)
        finally:
            query.stop()
            listener.note()


class SparkListener:
    """Spark calls back on threads of its own; rows are taken in on the one that runs this."""

    def __init__(self, party: Party, samples: Samples, broker: str, session: SparkSession) -> None:
        self._party, self._samples, self._broker = party, samples, broker
        self._url = from_environment(broker, f"samples.{samples.name}.broker")
        self._session = session
        self._arrivals = SparkArrivals(samples, session)
        self._waiting: queue.Queue[tuple[Sequence[Row], Future[None]]] = queue.Queue()
        self._noted = time.monotonic()

    @property
    def _progress(self) -> Path:
        """How far Spark has read."""
        return self._party.folder.path / "spark" / self._samples.name

    def start(self) -> StreamingQuery:
        """Raises BrokerError."""
        declare_stream(self._url, self._party.name, self._samples.name)
        self._session.dataSource.register(SampleStream)
        messages = (
            self._session.readStream.format(FORMAT)
            .option("broker", self._broker)
            .option("queue", stream_queue(self._party.name, self._samples.name))
            .load()
        )
        log.info("samples_awaited", party=self._party.name, samples=self._samples.name)
        writing = messages.writeStream.foreachBatch(self._hand_over)
        return writing.option("checkpointLocation", self._progress.as_uri()).start()

    def run(self, query: StreamingQuery, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                rows, done = self._waiting.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                if not query.isActive:
                    raise LinkError(f"Spark gave up: {_reason(query)}") from None
            else:
                self._take(rows, done)
            if time.monotonic() - self._noted >= NOTE_SECONDS:
                self.note()

    def note(self) -> None:
        """The log hears of a stream once a minute, not of every batch."""
        self._noted = time.monotonic()
        digest, self._arrivals.digest = self._arrivals.digest, FeatureDigest()
        note_stream(self._party, self._samples.name, digest)

    def _hand_over(self, messages: DataFrame, _batch: int) -> None:
        """Spark holds a batch for done when this returns."""
        done: Future[None] = Future()
        self._waiting.put((sorted(messages.collect(), key=itemgetter("place")), done))
        done.result()

    def _take(self, messages: Sequence[Row], done: Future[None]) -> None:
        try:
            self._take_in(messages)
        except BaseException as error:
            done.set_exception(error)
            raise
        done.set_result(None)

    def _take_in(self, messages: Sequence[Row]) -> None:
        began = time.monotonic()
        rows: list[RawRow] = []
        refused: list[bytes] = []
        reasons: Counter[str] = Counter()
        for message in messages:
            try:
                rows.append(self._parsed(message))
            except RawSampleError as error:
                refused.append(bytes(message["body"]))
                reasons[str(error)] += 1
        for reason, count in reasons.items():
            log.warning("samples_refused", reason=reason, count=count)
        if refused:
            bury(self._url, self._party.name, self._samples.name, refused)
        taken = self._arrivals.take(rows)
        seconds = round(time.monotonic() - began, 3)
        log.info("samples_taken", samples=taken, messages=len(messages), seconds=seconds)

    def _parsed(self, message: Row) -> RawRow:
        if message["type"] not in (None, MESSAGE_TYPE):
            raise RawSampleError("a message of another type")
        return self._arrivals.parse(bytes(message["body"]))


def _reason(query: StreamingQuery) -> str:
    """Of Spark's own kinds of error; its text may hold values."""
    error = query.exception()
    return type(error).__name__ if error is not None else "it was stopped"
