"""Pickled files from outside, read as inert records: nothing of them is ever executed (issue 4).

A pickle is a program that calls what it names. Here every name of a fixed list stands for an empty
record that keeps what it was called with, and any other name is refused; no library is imported.
What the records mean is read from them afterwards.
"""

import io
import pickle
from typing import Any, ClassVar, Self

from scoring.errors import ModelFileError

WRAPPED = "joblib.numpy_pickle.NumpyArrayWrapper"
FROM_BUFFER = "numpy._core.numeric._frombuffer"

_NUMPY = ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
_SCIKIT_LEARN = (
    "_loss._loss.CyAbsoluteError",
    "_loss._loss.CyHalfBinomialLoss",
    "_loss._loss.CyHalfMultinomialLoss",
    "_loss._loss.CyHalfSquaredError",
    "_loss._loss.CyHuberLoss",
    "_loss._loss.CyPinballLoss",
    "_loss._loss.__pyx_unpickle_CyHalfMultinomialLoss",
    "_loss.link.IdentityLink",
    "_loss.link.Interval",
    "_loss.link.LogitLink",
    "_loss.link.MultinomialLogit",
    "_loss.loss.AbsoluteError",
    "_loss.loss.HalfBinomialLoss",
    "_loss.loss.HalfMultinomialLoss",
    "_loss.loss.HalfSquaredError",
    "_loss.loss.HuberLoss",
    "_loss.loss.PinballLoss",
    "dummy.DummyClassifier",
    "dummy.DummyRegressor",
    "ensemble._forest.ExtraTreesClassifier",
    "ensemble._forest.ExtraTreesRegressor",
    "ensemble._forest.RandomForestClassifier",
    "ensemble._forest.RandomForestRegressor",
    "ensemble._gb.GradientBoostingClassifier",
    "ensemble._gb.GradientBoostingRegressor",
    "ensemble._hist_gradient_boosting.binning._BinMapper",
    "ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "impute._base.MissingIndicator",
    "impute._base.SimpleImputer",
    "linear_model._base.LinearRegression",
    "linear_model._coordinate_descent.ElasticNet",
    "linear_model._coordinate_descent.Lasso",
    "linear_model._logistic.LogisticRegression",
    "linear_model._ridge.Ridge",
    "neural_network._multilayer_perceptron.MLPClassifier",
    "neural_network._multilayer_perceptron.MLPRegressor",
    "neural_network._stochastic_optimizers.AdamOptimizer",
    "neural_network._stochastic_optimizers.SGDOptimizer",
    "pipeline.Pipeline",
    "preprocessing._data.StandardScaler",
    "preprocessing._label.LabelBinarizer",
    "preprocessing._label.LabelEncoder",
    "tree._classes.DecisionTreeClassifier",
    "tree._classes.DecisionTreeRegressor",
    "tree._classes.ExtraTreeClassifier",
    "tree._classes.ExtraTreeRegressor",
    "tree._tree.Tree",
)
ADMITTED = frozenset(
    {
        "_codecs.encode",
        "__builtin__.bytes",
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.random._mt19937.MT19937",
        "numpy.random._pcg64.PCG64",
        "numpy.random._pickle.__bit_generator_ctor",
        "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__randomstate_ctor",
        "numpy.random.bit_generator.SeedSequence",
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
        *(f"numpy._core.{name}" for name in _NUMPY),
        *(f"sklearn.{name}" for name in _SCIKIT_LEARN),
        WRAPPED,
    }
)


class Record:
    """What a pickle would have called (`kind`), with what (`args`), and what it set (`state`)."""

    kind: ClassVar[str] = ""
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: object, **_: object) -> Self:
        record = object.__new__(cls)
        record.args, record.state = args, {}
        return record

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.state = state

    @property
    def name(self) -> str:
        """The last part of its kind, a class's name."""
        return self.kind.rpartition(".")[2]


def read_pickled(content: bytes) -> Any:  # noqa: ANN401 - plain values and records
    """The value in a pickle's or joblib's file. ModelFileError names what is not admitted."""
    if content[:1] != pickle.PROTO:
        raise ModelFileError(
            "not a pickle of protocol 2 or later; save it without compression by pickle or joblib"
        )
    try:
        return _Reader(io.BytesIO(content)).load()
    except ModelFileError:
        raise
    except Exception as error:  # noqa: BLE001 - a broken pickle breaks in any way
        raise ModelFileError(
            f"the pickle is cut off, or garbled ({type(error).__name__})"
        ) from None


class _Reader(pickle._Unpickler):  # noqa: SLF001 - the one that can be told what follows a record
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._file = file
        self._kinds: dict[str, type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        """A class of records, new in every file: no file can change what another meets."""
        kind = f"{module}.{name}".replace("numpy.core.", "numpy._core.")
        if kind not in ADMITTED:
            raise ModelFileError(
                f"the pickle holds {kind[:200]}, which is not admitted: a pickle can run any "
                "program. Save the estimator itself, or use the library's own file format"
            )
        return self._kinds.setdefault(kind, type("Record", (Record,), {"kind": kind}))

    def get_extension(self, code: int) -> None:
        raise ModelFileError(f"the pickle holds extension {code}, which is not admitted")

    def persistent_load(self, pid: object) -> None:  # noqa: ARG002
        raise ModelFileError("the pickle refers to another file, which is not admitted")

    def load_build(self) -> None:
        """Joblib writes the numbers of an array behind the record that describes it."""
        pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]  # noqa: SLF001
        stack: list[Any] = self.stack  # type: ignore[attr-defined]
        if isinstance(stack[-1], Record) and stack[-1].kind == WRAPPED:
            stack[-1] = self._wrapped(stack[-1].state)

    def _wrapped(self, state: dict[str, Any]) -> Any:  # noqa: ANN401
        dtype, shape = state["dtype"], state["shape"]
        if str(dtype.args[0]).startswith("O"):
            return _Reader(self._file).load()
        if state.get("numpy_array_alignment_bytes") is not None:
            self._file.read(self._file.read(1)[0])
        size = width(dtype)
        for extent in shape:
            size *= extent
        raw = self._file.read(size)
        return self.find_class(*FROM_BUFFER.rsplit(".", 1))(raw, dtype, shape, state["order"])

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,  # noqa: SLF001
        pickle.BUILD[0]: load_build,
    }


def width(dtype: Record) -> int:
    """Bytes of one element."""
    code = str(dtype.args[0])
    return int(code[1:]) * (4 if code.startswith("U") else 1)
