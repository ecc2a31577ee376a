"""A pickle from outside is never executed: what it names is refused, or is an empty record."""

import io
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LinearRegression

from scoring.errors import ModelFileError
from scoring.files.arrays import array
from scoring.files.pickled import Record, read_pickled
from scoring.files.scikit_learn import read_scikit_learn
from scoring.files.source import Source
from tests.scoring.documents import DIGEST

SOURCE = Source("m", DIGEST, feature_names=("a",))


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self._call = (called, arguments)

    def __reduce__(self) -> Any:
        return self._call


def attacks(marker: Path) -> list[tuple[Any, str]]:
    command = f"touch {marker}"
    lambda_of = Calls(getattr, Calls(__import__, "os"), "system")
    return [
        (Calls(os.system, command), "posix.system"),
        (Calls(subprocess.check_call, command), "check_call"),
        (Calls(eval, f"open({str(marker)!r}, 'w')"), "builtins.eval"),
        (Calls(exec, f"open({str(marker)!r}, 'w')"), "builtins.exec"),
        (Calls(__import__, "os"), "builtins.__import__"),
        (Calls(Calls, lambda_of, command), "Calls"),
        (Calls(getattr, "".join, "__globals__"), "builtins.getattr"),
        (Calls(np.load, "x"), "numpy.load"),
        (np.array([Calls(os.system, command)], object), "posix.system"),
        ([np.zeros(3), {"deep": (Calls(os.system, command),)}], "posix.system"),
        (np.dtype([("a", "f8")]).newbyteorder, "builtins.getattr"),
        (Calls(open, str(marker), "w"), "io.open"),
    ]


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("place", range(12))
def test_attacks_are_refused_by_name(tmp_path: Path, place: int, protocol: int) -> None:
    marker = tmp_path / "executed"
    attack, name = attacks(marker)[place]
    content = pickle.dumps(attack, protocol)
    name = name.replace("builtins.", "(__builtin__|builtins).")
    with pytest.raises(ModelFileError, match=name + ".*not admitted"):
        read_pickled(content)
    file = io.BytesIO()
    joblib.dump({"x": np.zeros(3), "y": attack}, file)
    with pytest.raises(ModelFileError, match="not admitted"):
        read_pickled(file.getvalue())
    assert not marker.exists()


def test_attributes_of_admitted_names_are_not_reached() -> None:
    """Protocol 4 looks up dotted names: numpy.ndarray.tofile, a module through a module."""
    for module, name in (
        ("numpy", "ndarray.tofile"),
        ("numpy", "lib.npyio.os.system"),
        ("sklearn.pipeline", "Pipeline.fit"),
        ("joblib.numpy_pickle", "os.system"),
    ):
        content = b"\x80\x04" + b"".join(
            b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)
        )
        with pytest.raises(ModelFileError, match="not admitted"):
            read_pickled(content + b"\x93.")


def test_other_ways_out_are_closed() -> None:
    with pytest.raises(ModelFileError, match="another file"):
        read_pickled(b"\x80\x04\x8c\x01xQ.")
    with pytest.raises(ModelFileError, match="extension 7"):
        read_pickled(b"\x80\x04\x82\x07.")
    with pytest.raises(ModelFileError, match="protocol 2 or later"):
        read_pickled(b"cos\nsystem\n(S'true'\ntR.")


def test_an_admitted_name_makes_a_record_and_imports_nothing() -> None:
    found = read_pickled(pickle.dumps(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])))
    assert isinstance(found, Record)
    assert found.name == "LinearRegression"
    assert type(found).__module__ == "scoring.files.pickled"


def test_one_file_cannot_change_what_the_next_one_meets() -> None:
    """BUILD on a class sets attributes of that class: it is this file's alone."""
    poison = b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93N}\x8c\x04kind\x8c\x04evils\x86b."
    with pytest.raises(ModelFileError):
        read_pickled(poison)
    assert Record.kind == ""
    assert read_pickled(pickle.dumps(np.dtype("f8"))).name == "dtype"


@given(
    arrays(
        st.sampled_from(["<f8", ">f8", "<f4", "<i8", ">i4", "u1", "?", "<U3", "S2"]),
        st.tuples(st.integers(0, 3), st.integers(0, 3)),
    ),
    st.sampled_from(["C", "F"]),
    st.sampled_from([2, 4, 5]),
)
def test_arrays_are_read_to_the_bit(given: Any, order: Any, protocol: int) -> None:
    one = np.asarray(given, order=order)
    file = io.BytesIO()
    joblib.dump([one], file, protocol=protocol)
    for content in (pickle.dumps([one], protocol), file.getvalue()):
        found = array(read_pickled(content)[0])
        assert found.dtype == one.dtype
        np.testing.assert_array_equal(found, one)


def test_arrays_that_lie_about_their_size_are_refused() -> None:
    for change in ((b"K\x03\x85", b"K\x04\x85"), (b"K\x03\x85", b"J\xff\xff\xff\x7f\x85")):
        content = pickle.dumps(np.arange(3.0), 4).replace(*change)
        with pytest.raises(ModelFileError, match="other size"):
            array(read_pickled(content))


@given(st.data())
def test_broken_files_give_one_clear_error(data: st.DataObject) -> None:
    content = bytearray(pickle.dumps(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for broken in (bytes(content), bytes(content[:cut])):
        try:
            model = read_scikit_learn(broken, SOURCE)
        except ModelFileError:
            continue
        assert model.inputs == ("a",)
