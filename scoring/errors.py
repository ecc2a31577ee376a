"""What can go wrong with models as tables and with the engines they live in.

ScoringError
├── EngineError             the engine refused, or lost the connection
│   ├── EngineSettingsError    an address or an option that cannot be
│   ├── EngineUnavailableError unreachable, or in use by another process: later it may work
│   ├── LoginRefusedError      wrong user, password, certificate or way of logging in
│   ├── MissingTableError      there is no such table
│   └── TableConflictError     a table of this name exists with other columns
├── ModelFileError          a model file that cannot be read, or is not admitted
├── ModelTableError         no such model in the tables, or its rows do not fit together
├── ExtractionError         an extraction script, or what it yields, cannot be scored
└── RawSampleError          a message that is no raw sample of its kind
"""


class ScoringError(Exception):
    """Anything of this room; its text is for people and holds no customer's data."""


class EngineError(ScoringError):
    pass


class EngineSettingsError(EngineError):
    pass


class EngineUnavailableError(EngineError):
    pass


class LoginRefusedError(EngineError):
    pass


class MissingTableError(EngineError):
    pass


class TableConflictError(EngineError):
    pass


class ModelFileError(ScoringError):
    pass


class ModelTableError(ScoringError):
    pass


class ExtractionError(ScoringError):
    pass


class RawSampleError(ScoringError):
    pass
