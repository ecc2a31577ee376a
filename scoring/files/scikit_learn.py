"""scikit-learn's estimators from pickles and joblib files, never executed (requirement C4)."""

from collections.abc import Callable, Sequence
from typing import Any

from scoring.errors import ModelFileError
from scoring.files.arrays import floats, plain
from scoring.files.estimators import classes_of, inputs_of, is_classifier, steps_of
from scoring.files.forests import read_gradient_boosting, read_histogram_boosting, read_trees
from scoring.files.pickled import Record, read_pickled
from scoring.files.source import Source
from scoring.models import LinearModel, NetworkModel, ScoringModel
from scoring.models.document import NumberInput
from scoring.models.linear import NumberTerm
from scoring.models.network import Layer

BROKEN = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)
Read = Callable[[Record, Sequence[NumberInput], Source], ScoringModel]


def read_scikit_learn(content: bytes, source: Source) -> ScoringModel:
    """The estimator, alone or behind an imputer and a scaler. Raises ModelFileError."""
    top = read_pickled(content)
    try:
        preparing, estimator = steps_of(top)
        read = READERS.get(estimator.name)
        if read is None:
            raise ModelFileError(
                f"scikit-learn's {estimator.name} is not supported: use one of {', '.join(READERS)}"
            )
        return read(estimator, inputs_of(preparing, estimator, source), source)
    except BROKEN as error:
        raise ModelFileError(
            f"the estimator's state is not as scikit-learn writes it ({type(error).__name__}); "
            "is it fitted?"
        ) from None


def _read_linear(estimator: Record, inputs: Sequence[NumberInput], source: Source) -> LinearModel:
    state, kind = estimator.state, "linear"
    weights = floats(state["coef_"])
    weights = weights.reshape(1, -1) if weights.ndim == 1 else weights
    if is_classifier(estimator):
        classes = classes_of(estimator)
        kind = "logistic" if classes == 2 else "softmax"
        apart = state.get("multi_class") == "ovr" or state.get("solver") == "liblinear"
        if classes > 2 and apart:
            raise ModelFileError("one classifier a class (ovr, liblinear) is no softmax")
    elif len(weights) != 1:
        raise ModelFileError(f"a {estimator.name} of several outputs is not supported")
    intercepts = state["intercept_"]
    plain_one = plain(intercepts)
    constants = [float(plain_one)] if isinstance(plain_one, float | int) else floats(intercepts)
    outputs = len(weights)
    return source.document(
        LinearModel,
        kind=kind,
        combination={"linear": "sum", "logistic": "sigmoid", "softmax": "softmax"}[kind],
        outputs=outputs,
        intercepts=tuple(float(one) for one in constants) * (outputs // len(constants)),
        terms=tuple(
            NumberTerm(input=one, weights=tuple(column.tolist()))
            for one, column in zip(inputs, weights.T, strict=True)
        ),
    )


def _read_network(estimator: Record, inputs: Sequence[NumberInput], source: Source) -> NetworkModel:
    state = estimator.state
    combinations = {"identity": "sum", "logistic": "sigmoid", "softmax": "softmax"}
    outputs = int(plain(state["n_outputs_"]))
    combination = combinations.get(state["out_activation_"])
    if combination is None or (combination != "softmax" and outputs > 1):
        raise ModelFileError(f"a {estimator.name} of several labels or values is not supported")
    layers = list(zip(state["coefs_"], state["intercepts_"], strict=True))
    return source.document(
        NetworkModel,
        kind="network",
        combination=combination,
        outputs=outputs,
        features=tuple(inputs),
        layers=tuple(
            Layer(
                weights=tuple(tuple(row) for row in floats(weights).tolist()),
                biases=tuple(floats(biases).tolist()),
                activation="identity" if number == len(layers) else state["activation"],
            )
            for number, (weights, biases) in enumerate(layers, 1)
        ),
    )


_KINDS: list[tuple[Any, Sequence[str]]] = [
    (_read_linear, ("LogisticRegression", "LinearRegression", "Ridge", "Lasso", "ElasticNet")),
    (read_trees, ("DecisionTreeClassifier", "DecisionTreeRegressor")),
    (read_trees, ("ExtraTreeClassifier", "ExtraTreeRegressor")),
    (read_trees, ("RandomForestClassifier", "RandomForestRegressor")),
    (read_trees, ("ExtraTreesClassifier", "ExtraTreesRegressor")),
    (read_gradient_boosting, ("GradientBoostingClassifier", "GradientBoostingRegressor")),
    (
        read_histogram_boosting,
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    ),
    (_read_network, ("MLPClassifier", "MLPRegressor")),
]
READERS: dict[str, Read] = {name: read for read, names in _KINDS for name in names}
