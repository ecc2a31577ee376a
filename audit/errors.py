"""What an auditor can meet before any check begins.

AuditError
├── LogPlaceError     the place is no log: not an export file, a party's folder or a database
├── ExportError       an export file that is damaged, or of another version
├── CardError         whose keys are whose is not known, or told in two ways
└── EvidenceError     the log at hand is not enough for what is asked
"""


class AuditError(Exception):
    """Root of everything this room raises; what a check finds is a finding, not an error."""


class LogPlaceError(AuditError):
    pass


class ExportError(AuditError):
    pass


class CardError(AuditError):
    pass


class EvidenceError(AuditError):
    pass
