"""A Merkle tree over a log (RFC 9162, 2.1): one root says everything that was ever appended.

A leaf is an envelope's canonical bytes; leaf number = position in the log - 1. All hashes are
SHA-256 with 32 bytes; leaves and inner nodes can't be taken for each other.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class MerkleTree:
    """Grows by one leaf at a time, about one more hash each; answers for any size it ever had.

    64 bytes of memory a leaf. Proofs and roots take some 2 log2(size) steps.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        # Level 0 has the leaf hashes, level k the roots of full subtrees of 2^k leaves.
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> None:
        self.append_hash(leaf_hash(leaf))

    def append_hash(self, added: bytes) -> None:
        """A leaf by its `leaf_hash`."""
        number = len(self)
        self._levels[0] += added
        level = 0
        while number % 2:
            added = node_hash(self._node(level, number - 1), added)
            level, number = level + 1, number // 2
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += added

    def root(self, size: int | None = None) -> bytes:
        """Of the first `size` leaves, or of all."""
        size = len(self) if size is None else size
        self._check(size, len(self))
        return self.subtree(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """That leaf `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1)."""
        size = len(self) if size is None else size
        self._check(size, len(self))
        self._check(index, size - 1)
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + left_part(end - start)
            if index < middle:
                path.append(self.subtree(middle, end))
                end = middle
            else:
                path.append(self.subtree(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """That the tree of `second` leaves begins with that of `first` (RFC 9162, 2.1.4.1)."""
        second = len(self) if second is None else second
        self._check(second, len(self))
        self._check(first, second)
        if first in {0, second}:
            return []
        path: list[bytes] = []
        start, end = 0, second
        while first < end:
            middle = start + left_part(end - start)
            if first <= middle:
                path.append(self.subtree(middle, end))
                end = middle
            else:
                path.append(self.subtree(start, middle))
                start = middle
        if start:
            path.append(self.subtree(start, end))
        return path[::-1]

    def _node(self, level: int, number: int) -> bytes:
        at = number * HASH_BYTES
        return bytes(self._levels[level][at : at + HASH_BYTES])

    def subtree(self, start: int, end: int) -> bytes:
        """The root over leaves start to end, which is a subtree of some tree of the log."""
        size = end - start
        if size & (size - 1) == 0:
            return self._node(size.bit_length() - 1, start // size)
        middle = start + left_part(size)
        return node_hash(self.subtree(start, middle), self.subtree(middle, end))

    def _check(self, number: int, most: int) -> None:
        if not 0 <= number <= most:
            raise ValueError(f"the tree has {len(self)} leaves: no answer for {number}")


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path proves that the leaf has this index under the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last, found = index, size - 1, leaf_hash(leaf)
    for sibling in path:
        if last == 0:
            return False
        if first % 2 or first == last:
            found = node_hash(sibling, found)
            while first % 2 == 0 and first:
                first, last = first // 2, last // 2
        else:
            found = node_hash(found, sibling)
        first, last = first // 2, last // 2
    return last == 0 and found == root


def extends(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the path proves that the second tree begins with the first (RFC 9162, 2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if first == second:
        return not path and first_root == second_root
    hashes = _with_first_root(first, first_root, path)
    start = next(hashes, None)
    if start is None:
        return False
    number, last = first - 1, second - 1
    while number % 2:
        number, last = number // 2, last // 2
    old = new = start
    for sibling in hashes:
        if last == 0:
            return False
        if number % 2 or number == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while number % 2 == 0 and number:
                number, last = number // 2, last // 2
        else:
            new = node_hash(new, sibling)
        number, last = number // 2, last // 2
    return last == 0 and old == first_root and new == second_root


def _with_first_root(first: int, first_root: bytes, path: Sequence[bytes]) -> Iterator[bytes]:
    """A tree of 2^k leaves is a node of every later one: its root is left out of the proof."""
    if first & (first - 1) == 0:
        yield first_root
    yield from path


def left_part(size: int) -> int:
    """The largest power of two below `size`: how many leaves stand in the left subtree."""
    return 1 << (size - 1).bit_length() - 1
