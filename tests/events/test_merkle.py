"""The tree of RFC 9162: every leaf and every earlier tree can be proved, and nothing else."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.merkle import EMPTY_ROOT, MerkleTree, extends, includes, leaf_hash, node_hash

# The roots of the first n of these leaves are the test vectors of Certificate Transparency.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_definition(leaves: list[bytes]) -> bytes:
    """The root as RFC 9162 defines it, without anything kept."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(by_definition(leaves[:half]), by_definition(leaves[half:]))


def test_roots_are_those_of_certificate_transparency() -> None:
    tree = MerkleTree(LEAVES)
    assert [tree.root(size + 1).hex() for size in range(len(LEAVES))] == ROOTS
    assert tree.root(0) == EMPTY_ROOT


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_root_is_what_the_standard_defines(leaves: list[bytes]) -> None:
    tree = MerkleTree(leaves)
    for size in range(len(leaves) + 1):
        assert tree.root(size) == by_definition(leaves[:size])


@given(st.integers(1, 130), st.data())
def test_every_leaf_is_proved_and_no_other_in_its_place(size: int, data: st.DataObject) -> None:
    leaves = [number.to_bytes(2) for number in range(size + data.draw(st.integers(0, 5)))]
    tree, index = MerkleTree(leaves), data.draw(st.integers(0, size - 1))
    path, root = tree.inclusion(index, size), tree.root(size)
    assert includes(leaves[index], index, size, path, root)
    assert not includes(b"other", index, size, path, root)
    assert not includes(leaves[index], index + 1, size, path, root)
    assert not includes(leaves[index], index, size, [*path, root], root)
    assert not includes(leaves[index], size, size, path, root)
    for place in range(len(path)):
        changed = [*path[:place], bytes(32), *path[place + 1 :]]
        assert not includes(leaves[index], index, size, changed, root)


@given(st.integers(0, 130), st.integers(0, 130))
def test_a_tree_extends_its_own_past_and_no_other(one: int, other: int) -> None:
    first, second = sorted((one, other))
    tree = MerkleTree(number.to_bytes(2) for number in range(second))
    path = tree.consistency(first, second)
    assert extends(first, tree.root(first), second, tree.root(second), path)
    assert not extends(first, bytes(32), second, tree.root(second), path)
    assert not extends(first, tree.root(first), second, tree.root(second), [*path, bytes(32)])
    if first < second:
        assert not extends(second, tree.root(second), first, tree.root(first), path)
    if 0 < first < second:
        assert not extends(first, tree.root(first), second, bytes(32), path)
        assert not extends(first, tree.root(first), second, tree.root(second), path[:-1])
        rewritten = MerkleTree([b"rewritten", *(n.to_bytes(2) for n in range(1, second))])
        proof = rewritten.consistency(first, second)
        assert not extends(first, tree.root(first), second, rewritten.root(second), proof)


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 9), (0, 0)])
def test_there_is_no_proof_for_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no answer"):
        MerkleTree(LEAVES).inclusion(index, size)
