"""Some leaves of a tree, and the roots of the subtrees without any: together they give its root.

One such list proves all leaves at once, in place of an inclusion path for each (RFC 9162 shapes).
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from events.merkle import EMPTY_ROOT, MerkleTree, left_part, node_hash

Part = tuple[int, int]


def omitted_parts(tree: MerkleTree, present: Sequence[int]) -> Iterator[tuple[Part, bytes]]:
    """The largest subtrees without any of the leaves `present` (ascending), with their roots."""
    waiting = [(0, len(tree))] if len(tree) else []
    while waiting:
        start, end = waiting.pop()
        first = bisect_left(present, start)
        if first == len(present) or present[first] >= end:
            yield (start, end), tree.subtree(start, end)
        elif end - start > 1:
            middle = start + left_part(end - start)
            waiting += [(middle, end), (start, middle)]


class PartialTree:
    """A tree of `size` leaves, of which some leaf hashes and the omitted parts are known."""

    def __init__(
        self, leaf_hashes: Mapping[int, bytes], omitted: Mapping[Part, bytes], size: int
    ) -> None:
        self._leaves, self._omitted, self.size = leaf_hashes, omitted, size

    def root(self) -> bytes | None:
        """None when leaves and parts do not make a whole tree: one is missing, or too much."""
        if self.size == 0:
            return None if self._leaves or self._omitted else EMPTY_ROOT
        used: set[Part] = set()
        found = self._subtree(0, self.size, used)
        return found if len(used) == len(self._leaves) + len(self._omitted) else None

    def inclusion(self, index: int) -> list[bytes] | None:
        """The path of a leaf that is known (RFC 9162, 2.1.3.1)."""
        path: list[bytes] = []
        start, end = 0, self.size
        while end - start > 1:
            middle = start + left_part(end - start)
            beside = (middle, end) if index < middle else (start, middle)
            root = self._subtree(*beside, set())
            if root is None:
                return None
            path.append(root)
            start, end = (start, middle) if index < middle else (middle, end)
        return path[::-1]

    def _subtree(self, start: int, end: int, used: set[Part]) -> bytes | None:
        if (start, end) in self._omitted:
            used.add((start, end))
            return self._omitted[start, end]
        if end - start == 1:
            used.add((start, end))
            return self._leaves.get(start)
        middle = start + left_part(end - start)
        left = self._subtree(start, middle, used)
        right = self._subtree(middle, end, used) if left is not None else None
        return None if left is None or right is None else node_hash(left, right)
