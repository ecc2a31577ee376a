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


def root_of_parts(
    leaf_hashes: Mapping[int, bytes], omitted: Mapping[Part, bytes], size: int
) -> bytes | None:
    """The root over leaves and omitted parts; None when they do not make a whole tree."""
    used = 0

    def root(start: int, end: int) -> bytes | None:
        nonlocal used
        if (start, end) in omitted:
            used += 1
            return omitted[start, end]
        if end - start == 1:
            used += 1
            return leaf_hashes.get(start)
        middle = start + left_part(end - start)
        left = root(start, middle)
        right = root(middle, end) if left is not None else None
        return None if left is None or right is None else node_hash(left, right)

    if size == 0:
        return None if leaf_hashes or omitted else EMPTY_ROOT
    found = root(0, size)
    return found if used == len(leaf_hashes) + len(omitted) else None
