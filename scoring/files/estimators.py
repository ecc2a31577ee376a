"""What scikit-learn's estimators hold, read out of inert records (scoring.files.pickled)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.errors import ModelFileError
from scoring.files.arrays import array, floats, plain
from scoring.files.pickled import Record
from scoring.files.source import Source
from scoring.models.document import NumberInput

SCALERS = ("SimpleImputer", "StandardScaler")


def steps_of(top: Any) -> tuple[list[Record], Record]:  # noqa: ANN401 - whatever a file holds
    """The preparing steps and the estimator of a pipeline, or of an estimator alone."""
    steps = [one for _, one in top.state["steps"]] if _is(top, "Pipeline") else [top]
    steps = [one for one in steps if one not in ("passthrough", None)]
    if not steps or not all(isinstance(one, Record) for one in steps):
        raise ModelFileError("the pickle holds no estimator of scikit-learn")
    *preparing, estimator = steps
    for step in preparing:
        if step.name not in SCALERS:
            raise ModelFileError(
                f"a pipeline's step {step.name} is not supported: use {' or '.join(SCALERS)}"
            )
    return preparing, estimator


def inputs_of(preparing: Sequence[Record], estimator: Record, source: Source) -> list[NumberInput]:
    """The features in the order of training, filled and scaled as the pipeline does."""
    first = [*preparing, estimator][0].state
    named = array(first["feature_names_in_"]) if "feature_names_in_" in first else ()
    names = source.names([str(name) for name in named], int(plain(first["n_features_in_"])))
    inputs = [NumberInput(name=name) for name in names]
    done: list[str] = []
    for step in preparing:
        if step.name in done or step.name < max(done, default=""):
            raise ModelFileError("a pipeline fills missing values once, and then scales once")
        done.append(step.name)
        inputs = _filled(inputs, step) if step.name == "SimpleImputer" else _scaled(inputs, step)
    return inputs


def _filled(inputs: Sequence[NumberInput], imputer: Record) -> list[NumberInput]:
    state = imputer.state
    missing = plain(state["missing_values"])
    if state["add_indicator"] or not (isinstance(missing, float) and np.isnan(missing)):
        raise ModelFileError("a SimpleImputer must fill NaN, and add no indicator")
    fills = floats(state["statistics_"])
    return [
        NumberInput(name=one.name, fill=float(fill))
        for one, fill in zip(inputs, fills, strict=True)
    ]


def _scaled(inputs: Sequence[NumberInput], scaler: Record) -> list[NumberInput]:
    state = scaler.state
    count = len(inputs)
    centres = floats(state["mean_"]) if state["with_mean"] else np.zeros(count)
    scales = floats(state["scale_"]) if state["with_std"] else np.ones(count)
    return [
        NumberInput(name=one.name, fill=one.fill, centre=float(centre), scale=float(scale))
        for one, centre, scale in zip(inputs, centres, scales, strict=True)
    ]


def is_classifier(estimator: Record) -> bool:
    return estimator.name.endswith(("Classifier", "LogisticRegression"))


def classes_of(estimator: Record) -> int:
    """How many classes: 2 or more, of one label."""
    count = len(array(estimator.state["classes_"]))
    if count < 2:
        raise ModelFileError(f"a {estimator.name} of one class predicts nothing")
    return count


def _is(value: object, name: str) -> bool:
    return isinstance(value, Record) and value.name == name
