"""The words the kernel is written in: memory, vectors of eight digits and loops of LLVM's language.

Digits have 52 bits and lie in lanes of 64, so that sums of many products fit.
"""

from collections.abc import Iterable, Sequence

from llvmlite import ir

from paillier.compiled.digits import DIGIT_BITS, DIGIT_MASK, LANES

WORD = ir.IntType(64)
INDEX = ir.IntType(32)
VECTOR = ir.VectorType(WORD, LANES)
WORDS = ir.PointerType(WORD)
INDICES = ir.PointerType(INDEX)
ZERO_VECTOR = ir.Constant(VECTOR, [0] * LANES)

Vectors = Sequence[ir.Value]


def word(value: int) -> ir.Constant:
    return ir.Constant(WORD, value)


class Loop:
    """`count` turns of what is written between construction and close(); skipped for none."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value, initial: Vectors = ()) -> None:
        self._builder, self._count, self._before = builder, count, builder.block
        self._body = builder.append_basic_block("body")
        self._after = builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed(">", count, word(0)), self._body, self._after)
        builder.position_at_end(self._body)
        self.index = builder.phi(WORD)
        self.index.add_incoming(word(0), self._before)
        self._initial = initial
        self.carried = [builder.phi(value.type) for value in initial]
        for phi, value in zip(self.carried, initial, strict=True):
            phi.add_incoming(value, self._before)

    def close(self, carried: Vectors = ()) -> list[ir.Value]:
        """Ends the body, whose next turn sees `carried`; returns what the last turn leaves."""
        builder, end = self._builder, self._builder.block
        following = builder.add(self.index, word(1))
        builder.cbranch(builder.icmp_signed("<", following, self._count), self._body, self._after)
        self.index.add_incoming(following, end)
        builder.position_at_end(self._after)
        results = []
        for phi, initial, value in zip(self.carried, self._initial, carried, strict=True):
            phi.add_incoming(value, end)
            result = builder.phi(value.type)
            result.add_incoming(initial, self._before)
            result.add_incoming(value, end)
            results.append(result)
        return results


class Code:
    """The body of one function that works on halves of so many vectors."""

    def __init__(self, module: ir.Module, function: ir.Function, vectors: int) -> None:
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self._vectors = vectors
        fused = ir.FunctionType(VECTOR, [VECTOR] * 3)
        self._low_bits = module.declare_intrinsic("llvm.x86.avx512.vpmadd52l.uq.512", (), fused)
        self._high_bits = module.declare_intrinsic("llvm.x86.avx512.vpmadd52h.uq.512", (), fused)
        octets = ir.PointerType(ir.IntType(8))
        self._prefetch = module.declare_intrinsic(
            "llvm.prefetch", [octets], ir.FunctionType(ir.VoidType(), [octets, *[INDEX] * 3])
        )

    def row(self, rows: ir.Value, index: ir.Value, width: int) -> ir.Value:
        return self.builder.gep(rows, [self.builder.mul(index, word(width))])

    def index(self, indices: ir.Value, place: ir.Value) -> ir.Value:
        return self.builder.zext(self.builder.load(self.builder.gep(indices, [place])), WORD)

    def smaller(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def prefetch(self, words: ir.Value, count: int) -> None:
        """Asks for the words, to be read and written soon, without waiting for them."""
        for start in range(0, count, LANES):
            pointer = self.builder.gep(words, [word(start)])
            octets = self.builder.bitcast(pointer, ir.PointerType(ir.IntType(8)))
            self.builder.call(self._prefetch, [octets, INDEX(0), INDEX(3), INDEX(1)])

    def load(self, words: ir.Value, start: int = 0) -> list[ir.Value]:
        values = []
        for pointer in self._vector_pointers(words, start):
            value = self.builder.load(pointer)
            value.align = 8
            values.append(value)
        return values

    def store(self, values: Vectors, words: ir.Value, start: int = 0) -> None:
        for value, pointer in zip(values, self._vector_pointers(words, start), strict=True):
            self.builder.store(value, pointer).align = 8

    def _vector_pointers(self, words: ir.Value, start: int) -> list[ir.Value]:
        return [
            self.builder.bitcast(
                self.builder.gep(words, [word(start + LANES * i)]), ir.PointerType(VECTOR)
            )
            for i in range(self._vectors)
        ]

    def broadcast(self, value: ir.Value) -> ir.Value:
        """The word in every lane."""
        undefined = ir.Constant(VECTOR, ir.Undefined)
        first = self.builder.insert_element(undefined, value, INDEX(0))
        return self.builder.shuffle_vector(first, undefined, _lanes([0] * LANES))

    def broadcast_from(self, words: ir.Value, place: ir.Value) -> ir.Value:
        return self.broadcast(self.builder.load(self.builder.gep(words, [place])))

    def add_low_bits(self, sums: Vectors, numbers: Vectors, factor: ir.Value) -> list[ir.Value]:
        """The low 52 bits of each product, added to its sum."""
        return self._multiply_add(self._low_bits, sums, numbers, factor)

    def add_high_bits(self, sums: Vectors, numbers: Vectors, factor: ir.Value) -> list[ir.Value]:
        return self._multiply_add(self._high_bits, sums, numbers, factor)

    def _multiply_add(
        self, operation: ir.Function, sums: Vectors, numbers: Vectors, factor: ir.Value
    ) -> list[ir.Value]:
        return [
            self.builder.call(operation, [total, number, factor])
            for total, number in zip(sums, numbers, strict=True)
        ]

    def drop_lowest_digit(self, sums: Vectors) -> list[ir.Value]:
        """Every digit moves down one lane."""
        following = [*sums[1:], ZERO_VECTOR]
        return [
            self.builder.shuffle_vector(this, after, _lanes(range(1, LANES + 1)))
            for this, after in zip(sums, following, strict=True)
        ]

    def carry(self, sums: ir.Value, digits: ir.Value) -> None:
        """Sums of up to 64 bits become digits of 52: both halves of an element side by side."""
        half = self._vectors * LANES
        loop = Loop(self.builder, word(half), (word(0), word(0)))
        carries = []
        for start, carried in zip((0, half), loop.carried, strict=True):
            place = self.builder.add(loop.index, word(start))
            total = self.builder.load(self.builder.gep(sums, [place]))
            total = self.builder.add(total, carried)
            digit = self.builder.and_(total, word(DIGIT_MASK))
            self.builder.store(digit, self.builder.gep(digits, [place]))
            carries.append(self.builder.lshr(total, word(DIGIT_BITS)))
        loop.close(carries)


def _lanes(order: Iterable[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(INDEX, LANES), list(order))
