"""What can go wrong with a view; failures of the database are the store's errors.

ProjectionError
└── ModelDocumentError    a saved model's document has not the form that the model table reads
"""


class ProjectionError(Exception):
    """Anything this room raises."""


class ModelDocumentError(ProjectionError):
    """A saved model's JSON document cannot be read."""
