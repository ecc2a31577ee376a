"""Where log events go: to stderr, readable on a terminal, one JSON object a line otherwise."""

import logging
import os
import sys

import structlog


def is_debugging() -> bool:
    """TALLY_DEBUG is set, by the user or by `tally --debug`; processes started here inherit it."""
    return os.environ.get("TALLY_DEBUG", "") not in ("", "0")


def configure_logging(level: int = logging.WARNING) -> None:
    """Send events of `level` and above to stderr; all of them when debugging.

    Tracebacks are plain: a pretty one would show local variables, which hold customers' data.
    """
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(sort_keys=True)
    if sys.stderr.isatty():
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=plain)
    formatting = [] if sys.stderr.isatty() else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *formatting,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if is_debugging() else level
        ),
        # Looked up at every event: a progress display puts itself before stderr for a while.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def configure_running_log() -> None:
    """For a party that runs: what it does is worth telling too."""
    configure_logging(logging.INFO)
