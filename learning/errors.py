"""What can be wrong with data or numbers a model is learned from.

LearningError
├── BinningError                 a column can't be cut into bins
│   ├── ConstantColumnError      one bin would hold every training customer
│   └── NothingToLearnError      no column is left
├── FixedPointError              a number is outside the grid, or not a number
├── IdentificationError          probabilities that cannot be brought to a common unit
└── QualityError                 a figure is not defined on these rows
"""


class LearningError(Exception):
    """Base of everything this room raises; the message names the thing and the remedy."""


class BinningError(LearningError):
    pass


class ConstantColumnError(BinningError):
    pass


class NothingToLearnError(BinningError):
    pass


class FixedPointError(LearningError):
    pass


class IdentificationError(LearningError):
    pass


class QualityError(LearningError):
    pass
