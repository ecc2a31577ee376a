"""The code of the kernel, in LLVM's intermediate language, written for one length of modulus.

One function: target[target_row[i]] *= factor[factor_row[i]] modulo n^2, for every i in turn.

An element is a pair of numbers (low, high) that stands for low + high n modulo n^2: its digits in
base 2^52, first of low and then of high, each padded to whole vectors of eight 64-bit lanes. The
product of two elements, divided by R = 2^(52 digits), is the pair

    low  = (low1 low2 + m n) / R                    with m chosen so that R divides (Montgomery)
    high = (low1 high2 + high1 low2 - m + m' n) / R

because low1 low2 = R low - m n. Both stay below 1.01 n when R > 2^16 n, so nothing is ever
subtracted. m appears one digit at a time; instead of subtracting it digit by digit,
2^52 - 1 - digit is added and the sum starts at (1 - R) mod n, which makes up for it.

Source: the pair form is our own (n-adic digits); the digit loop is Montgomery's, as in
Gueron and Krasnov, "Accelerating big integer arithmetic using Intel IFMA extensions" (2016).
"""

from collections.abc import Sequence

from llvmlite import ir

from paillier.compiled.digits import DIGIT_BITS, DIGIT_MASK

FUNCTION = "multiply_rows"
LANES = 8

_WORD = ir.IntType(64)
_INDEX = ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)
_WORDS = ir.PointerType(_WORD)
_INDICES = ir.PointerType(_INDEX)
_ZERO_VECTOR = ir.Constant(_VECTOR, [0] * LANES)

Vectors = Sequence[ir.Value]


def padded_digits(digits: int) -> int:
    """Digits of half an element, rounded up to whole vectors."""
    return -(-digits // LANES) * LANES


def kernel_code(digits: int) -> str:
    """The text of a module with the one function.

    Its arguments: target, target rows, factors, factor rows, count, the digits of n and of the
    start of the high sum, -1 / n mod 2^52.
    """
    module = ir.Module("paillier")
    arguments = [_WORDS, _INDICES, _WORDS, _INDICES, _WORD, _WORDS, _WORDS, _WORD]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), FUNCTION)
    target, target_rows, factors, factor_rows, count, modulus, high_start, inverse = function.args
    half = padded_digits(digits)
    code = _Code(module, function, half // LANES)
    scratch = code.builder.alloca(_WORD, size=_word(2 * half))
    scratch.align = 8 * LANES

    last = code.builder.sub(count, _word(1))
    rows = _Loop(code.builder, count, ())
    element = code.row(target, target_rows, rows.index, 2 * half)
    factor = code.row(factors, factor_rows, rows.index, 2 * half)
    # Rows come in any order: without the hint the processor waits for each of them.
    following = code.smaller(code.builder.add(rows.index, _word(1)), last)
    code.prefetch(code.row(target, target_rows, following, 2 * half), 2 * half)
    code.prefetch(code.row(factors, factor_rows, following, 2 * half), 2 * half)
    low, high = code.load(element), code.load(element, half)
    montgomery = _MontgomeryStep(code, modulus, inverse)
    zeros = [_ZERO_VECTOR] * len(low)

    steps = _Loop(code.builder, _word(digits), (*zeros, *code.load(high_start)))
    low_sum, high_sum = steps.carried[: len(low)], steps.carried[len(low) :]
    factor_low = code.broadcast(code.word(factor, steps.index))
    factor_high = code.broadcast(code.word(factor, code.builder.add(steps.index, _word(half))))
    low_sum, quotient = montgomery.step(low_sum, [(low, factor_low)], _word(0))
    complement = code.builder.sub(_word(DIGIT_MASK), quotient)
    high_sum, _ = montgomery.step(high_sum, [(high, factor_low), (low, factor_high)], complement)
    steps.close((*low_sum, *high_sum))

    code.store(steps.result[: len(low)], scratch)
    code.store(steps.result[len(low) :], scratch, half)
    code.carry(scratch, element, half)
    rows.close(())
    code.builder.ret_void()
    return str(module)


def _word(value: int) -> ir.Constant:
    return ir.Constant(_WORD, value)


class _Loop:
    """`count` turns of what is written between construction and close(); skipped for none."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value, initial: Vectors) -> None:
        self._builder, self._count, self._before = builder, count, builder.block
        self._body = builder.append_basic_block("body")
        self._after = builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed(">", count, _word(0)), self._body, self._after)
        builder.position_at_end(self._body)
        self.index = builder.phi(_WORD)
        self.index.add_incoming(_word(0), self._before)
        self.carried = [builder.phi(value.type) for value in initial]
        for phi, value in zip(self.carried, initial, strict=True):
            phi.add_incoming(value, self._before)
        self._initial = initial
        self.result: list[ir.Value] = []

    def close(self, carried: Vectors) -> None:
        builder, end = self._builder, self._builder.block
        following = builder.add(self.index, _word(1))
        builder.cbranch(builder.icmp_signed("<", following, self._count), self._body, self._after)
        self.index.add_incoming(following, end)
        builder.position_at_end(self._after)
        for phi, initial, value in zip(self.carried, self._initial, carried, strict=True):
            phi.add_incoming(value, end)
            result = builder.phi(value.type)
            result.add_incoming(initial, self._before)
            result.add_incoming(value, end)
            self.result.append(result)


class _Code:
    """Memory and vectors: the words the kernel is written in."""

    def __init__(self, module: ir.Module, function: ir.Function, vectors: int) -> None:
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self._vectors = vectors
        fused = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        self._low_bits = ir.Function(module, fused, "llvm.x86.avx512.vpmadd52l.uq.512")
        octets = ir.PointerType(ir.IntType(8))
        self._prefetch = module.declare_intrinsic(
            "llvm.prefetch", [octets], ir.FunctionType(ir.VoidType(), [octets, *[_INDEX] * 3])
        )
        self._high_bits = ir.Function(module, fused, "llvm.x86.avx512.vpmadd52h.uq.512")

    def row(self, rows: ir.Value, indices: ir.Value, i: ir.Value, width: int) -> ir.Value:
        index = self.builder.zext(self.builder.load(self.builder.gep(indices, [i])), _WORD)
        return self.builder.gep(rows, [self.builder.mul(index, _word(width))])

    def smaller(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def prefetch(self, words: ir.Value, count: int) -> None:
        """Asks for the words, to be read and written soon, without waiting for them."""
        for start in range(0, count, LANES):
            pointer = self.builder.gep(words, [_word(start)])
            octets = self.builder.bitcast(pointer, ir.PointerType(ir.IntType(8)))
            self.builder.call(self._prefetch, [octets, _INDEX(0), _INDEX(3), _INDEX(1)])

    def word(self, words: ir.Value, i: ir.Value) -> ir.Value:
        return self.builder.load(self.builder.gep(words, [i]))

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
                self.builder.gep(words, [_word(start + LANES * i)]), ir.PointerType(_VECTOR)
            )
            for i in range(self._vectors)
        ]

    def broadcast(self, word: ir.Value) -> ir.Value:
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        first = self.builder.insert_element(undefined, word, _INDEX(0))
        return self.builder.shuffle_vector(first, undefined, _lanes([0] * LANES))

    def add_low_bits(self, sums: Vectors, numbers: Vectors, factor: ir.Value) -> list[ir.Value]:
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
        following = [*sums[1:], _ZERO_VECTOR]
        return [
            self.builder.shuffle_vector(this, after, _lanes(range(1, LANES + 1)))
            for this, after in zip(sums, following, strict=True)
        ]

    def carry(self, sums: ir.Value, digits: ir.Value, half: int) -> None:
        """Sums of up to 64 bits become digits of 52: both halves of an element side by side."""
        loop = _Loop(self.builder, _word(half), (_word(0), _word(0)))
        carries = []
        for start, carried in zip((0, half), loop.carried, strict=True):
            place = self.builder.add(loop.index, _word(start))
            total = self.builder.add(self.word(sums, place), carried)
            digit = self.builder.and_(total, _word(DIGIT_MASK))
            self.builder.store(digit, self.builder.gep(digits, [place]))
            carries.append(self.builder.lshr(total, _word(DIGIT_BITS)))
        loop.close(carries)


class _MontgomeryStep:
    """Adds one digit's products to a sum, with the multiple of the modulus that clears a digit."""

    def __init__(self, code: _Code, modulus: ir.Value, inverse: ir.Value) -> None:
        self._code, self._inverse = code, inverse
        self._modulus = code.load(modulus)
        self._lowest_digit = code.word(modulus, _word(0))

    def step(
        self, sums: Vectors, products: Sequence[tuple[Vectors, ir.Value]], addend: ir.Value
    ) -> tuple[list[ir.Value], ir.Value]:
        """(sums + products + addend + quotient * modulus) / 2^52, and the quotient's digit."""
        code, builder, mask = self._code, self._code.builder, _word(DIGIT_MASK)
        # Everything waits for the quotient, which the lowest vector decides: its products are
        # summed apart, while the sums of the step before are not known yet.
        lowest_low, lowest_high, others = [_ZERO_VECTOR], [_ZERO_VECTOR], list(sums[1:])
        for numbers, factor in products:
            lowest_low = code.add_low_bits(lowest_low, numbers[:1], factor)
            lowest_high = code.add_high_bits(lowest_high, numbers[:1], factor)
            others = code.add_low_bits(others, numbers[1:], factor)
        sums = [builder.add(sums[0], lowest_low[0]), *others]
        lowest = builder.add(builder.extract_element(sums[0], _INDEX(0)), addend)
        quotient = builder.and_(builder.mul(lowest, self._inverse), mask)
        cleared = builder.and_(builder.mul(quotient, self._lowest_digit), mask)
        carried = builder.lshr(builder.add(lowest, cleared), _word(DIGIT_BITS))
        carried = builder.insert_element(_ZERO_VECTOR, carried, _INDEX(0))
        multiple = code.broadcast(quotient)
        first, *others = code.drop_lowest_digit(code.add_low_bits(sums, self._modulus, multiple))
        for numbers, factor in products:
            others = code.add_high_bits(others, numbers[1:], factor)
        sums = [builder.add(first, builder.add(lowest_high[0], carried)), *others]
        return code.add_high_bits(sums, self._modulus, multiple), quotient


def _lanes(order: Sequence[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_INDEX, LANES), list(order))
