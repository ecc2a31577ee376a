"""What a user can get wrong at the front door.

TallyError        one message, no traceback, exit code 2
├── JobFileError  JOB.toml cannot be read or is not a job
├── DemoError     the demo's options or files do not fit together
├── JobFailedError  the job ended without a model; exit code 1
├── JobLookupError  no such job in this party's log
├── IdFileError   the file of customers to be scored cannot be read
├── ScoreFileError  the file for scores or labels cannot be written
├── ModelCommandError  options that do not say which model is meant
├── BrokerFilesError  a broker cannot be prepared for these parties
├── ServingError  the serving process cannot start
└── MeasurementError  this machine computes wrongly: no figure can be given
"""


class TallyError(Exception):
    """Root of everything this room raises."""


class JobFileError(TallyError):
    pass


class DemoError(TallyError):
    pass


class JobLookupError(TallyError):
    pass


class IdFileError(TallyError):
    pass


class ScoreFileError(TallyError):
    pass


class ModelCommandError(TallyError):
    pass


class BrokerFilesError(TallyError):
    pass


class ServingError(TallyError):
    pass


class JobFailedError(TallyError):
    pass


class MeasurementError(TallyError):
    pass


class EscrowError(TallyError):
    pass
