"""What pooling all parties' rows in one place would give: the measure of a joint model."""

import numpy as np
import numpy.typing as npt

from learning.fixed_point import Codes
from learning.layout import Layout
from learning.residuals import Kind

Floats = npt.NDArray[np.float64]


def pooled_reference(
    codes: Codes,
    layout: Layout,
    labels: Floats,
    training: npt.NDArray[np.bool_],
    *,
    kind: Kind,
    inverse_penalty: float,
) -> Floats:
    """Scores of all rows by scikit-learn on the joined columns: codes uint8[variables, rows]."""
    from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415 - slow to import

    columns = layout.values(codes, np.float64)
    if kind == "linear":
        model = Ridge(alpha=1 / inverse_penalty).fit(columns[training], labels[training])
        return np.asarray(model.predict(columns), np.float64)
    classifier = LogisticRegression(C=inverse_penalty, max_iter=3000, tol=1e-8)
    classifier.fit(columns[training], labels[training])
    return np.asarray(classifier.decision_function(columns), np.float64)
