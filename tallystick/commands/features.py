"""`tally features`: features ahead of time, and from samples as they arrive (S4 to S6)."""

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from party.errors import SettingsError
from party.listening import listen as listen_to_samples
from party.opening import Party, open_party
from party.refreshing import refresh_features
from party.stopping import stop_signals
from scoring.stability import WARNING
from tallystick.log_output import configure_running_log
from tallystick.repeating import Every, every
from tallystick.terminal import note, say

AsParty = Annotated[Path, typer.Option("--as", metavar="DIR", help="The party's folder.")]
Kind = Annotated[
    str | None,
    typer.Option("--samples", metavar="NAME", help="Which [samples.NAME], if several."),
]

features_app = typer.Typer(help="Extract the features of a party's samples ahead of scoring.")


@features_app.command()
def refresh(
    folder: AsParty,
    samples: Kind = None,
    repeat: Every = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make the tables afresh: the features are other ones.")
    ] = False,
) -> None:
    """Extract the features of new raw rows; the newest replace the older (near real time).

    Twice changes nothing, so it may run from cron or a timer; `--every 1h` repeats it here.
    """

    def once() -> None:
        with closing(open_party(folder)) as party:
            name, done = refresh_features(party, samples, anew=anew)
        say(f"{name}: {done.rows} rows extracted, features of {done.samples} samples are ready")
        for (model_id, variable), index in sorted(done.stability.items(), key=lambda one: -one[1]):
            if index > WARNING:
                note(
                    f"{variable}: today's customers differ from those that {model_id} was trained "
                    f"on (population stability {index:.2f}, above {WARNING})"
                )

    every(repeat, once)


@features_app.command()
def listen(
    folder: AsParty,
    samples: Kind = None,
    broker: Annotated[
        str | None,
        typer.Option(metavar="URL", help="This party's own broker, where it is not in party.toml."),
    ] = None,
    spark: Annotated[
        str | None,
        typer.Option(metavar="MASTER", help="Let Spark extract: yarn, spark://HOST:7077, local[2]"),
    ] = None,
) -> None:
    """Take raw samples from a queue as they arrive; each can be scored within a second.

    A message is a JSON object with the raw columns, sent to the exchange `tallystick.samples` with
    the routing key `PARTY.NAME`; what is no sample goes to the queue
    `tallystick.PARTY.samples.NAME.dead`. Ctrl-C stops it; what was not acknowledged comes again.

    With --spark the messages wait in a stream of the broker, and a cluster's tables may be joined:
    the kind's engine is hive://… then. The batch engine gets what came by the next refresh.
    """
    configure_running_log()
    with closing(open_party(folder)) as party, stop_signals() as stopping:
        if spark is None:
            listen_to_samples(party, samples, stopping, broker)
        else:
            _listen_by_spark(party, samples, stopping, broker, spark)
    note("stopped")


def _listen_by_spark(
    party: Party, samples: str | None, stopping: Event, broker: str | None, master: str
) -> None:
    if find_spec("pyspark") is None:
        raise SettingsError("--spark needs Spark's package: install tallystick[spark]")
    # Neither of these is there without it.
    from party.spark_listening import listen_by_spark, spark_session  # noqa: PLC0415

    session = spark_session(master, f"samples of {party.name}")
    try:
        listen_by_spark(party, samples, stopping, session, broker)
    finally:
        session.stop()
