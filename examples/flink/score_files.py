"""Score files of features with Flink: a batch, or a stream of files as they appear (C3, S6, S7).

Runs in an environment of Flink's own (`pip install apache-flink`; Java 17 or newer); nothing of
Tallystick is imported, the statement is all there is of the model. See README.md beside this file.
"""

import argparse
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment

SECONDS = "1s"  # in streaming: between looks into a folder, and until results are seen


def main() -> None:
    wanted = arguments()
    flink = environment(streaming=wanted.streaming)
    for name, columns, folder in wanted.table:
        follow = {"source.monitor-interval": SECONDS} if wanted.streaming else {}
        options = with_options(folder, wanted.null, follow)
        flink.execute_sql(f"CREATE TABLE `{name}` ({Path(columns).read_text()}) {options}")
    jobs = []
    for number, (statement, folder) in enumerate(wanted.score):
        shown = {"sink.rolling-policy.rollover-interval": SECONDS}
        options = with_options(folder, wanted.null, shown)
        query = Path(statement).read_text()
        jobs.append(flink.execute_sql(f"CREATE TABLE `scores_{number}` {options} AS {query}"))
        if not wanted.streaming:
            jobs.pop().wait()
    for job in jobs:
        job.wait()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--table",
        nargs=3,
        action="append",
        required=True,
        metavar=("NAME", "COLUMNS", "FOLDER"),
        help="a table to read: file of its columns, folder of CSV files without headings",
    )
    parser.add_argument(
        "--score",
        nargs=2,
        action="append",
        required=True,
        metavar=("STATEMENT", "FOLDER"),
        help="file from `tally model sql`, and a new folder for the scores, which are CSV too",
    )
    parser.add_argument("--null", default="", help="how a missing value is written; empty")
    parser.add_argument("--streaming", action="store_true", help="wait for more files, for ever")
    return parser.parse_args()


def environment(*, streaming: bool) -> TableEnvironment:
    settings = EnvironmentSettings.new_instance()
    settings = settings.in_streaming_mode() if streaming else settings.in_batch_mode()
    flink = TableEnvironment.create(settings.build())
    if streaming:
        flink.get_config().set("execution.checkpointing.interval", SECONDS)
    return flink


def with_options(folder: str, null: str, more: dict[str, str]) -> str:
    options = {
        "connector": "filesystem",
        "path": Path(folder).resolve().as_uri(),
        "format": "csv",
        "csv.null-literal": null,
        **more,
    }
    texts = ((name, value.replace("'", "''")) for name, value in options.items())
    return "WITH (" + ", ".join(f"'{name}' = '{value}'" for name, value in texts) + ")"


if __name__ == "__main__":
    main()
