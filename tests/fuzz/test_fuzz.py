"""No bytes crash what reads them, or make it take more room than a few times their size."""

import tracemalloc

import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from bus.parcel import MAXIMUM_BODY
from events.envelope import MAXIMUM_ENVELOPE_BYTES
from tests.fuzz.corpus import seeds
from tests.fuzz.targets import TARGETS, headers

TIMES = 64  # what a parsed message may take of its own size, at most
CASES = [(name, text) for name, texts in seeds().items() for text in texts]


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A whole message with pieces cut out, doubled, swapped or overwritten."""
    content = bytearray(draw(st.sampled_from(seeds()[name])))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        content[start:end] = draw(
            st.one_of(st.binary(max_size=40), st.just(content[start:end] * 2))
        )
    return bytes(content)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_no_bytes_crash_what_reads_them(name: str) -> None:
    @seed(7)
    @settings(max_examples=400, database=None)
    @given(st.one_of(damaged(name), st.binary(max_size=300)))
    def read(content: bytes) -> None:
        TARGETS[name](content)

    read()


@pytest.mark.parametrize(("name", "content"), CASES)
def test_every_seed_is_read(name: str, content: bytes) -> None:
    TARGETS[name](content)


HEADER = st.one_of(
    st.text(max_size=40),
    st.integers(-(2**63), 2**63 - 1),
    st.from_regex(r"[0-9a-f]{64} \d{1,12} \d{1,5}", fullmatch=True),
)
NAMES = st.sampled_from(
    ["event", "sealed", "chunk", "chunks", "envelope-bytes", "payload-0", "payload-1", "payload-99"]
)


@settings(max_examples=300, database=None)
@given(st.dictionaries(NAMES, HEADER, max_size=8), st.binary(max_size=200))
@example({"envelope-bytes": 0, "payload-0": f"{'a' * 64} 999999999999 0"}, b"x")
def test_no_headers_crash_what_cuts_by_them(named: dict[str, object], body: bytes) -> None:
    headers(named, body)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * MAXIMUM_ENVELOPE_BYTES,
        b'{"a":' * (MAXIMUM_ENVELOPE_BYTES // 5),
        b'{"data":{' + b",".join(b'"%d":0' % n for n in range(6_000)) + b"}}",
        b"9" * MAXIMUM_ENVELOPE_BYTES,
        b'"' + b"\\u0041" * (MAXIMUM_ENVELOPE_BYTES // 6) + b'"',
        bytes(MAXIMUM_BODY),
    ],
    ids=["deep lists", "deep objects", "wide", "a long number", "escapes", "zeros"],
)
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_room_is_bounded_by_the_size_of_what_came(name: str, content: bytes) -> None:
    TARGETS[name](b"{}")
    tracemalloc.start()
    try:
        TARGETS[name](content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < TIMES * len(content) + 2_000_000
