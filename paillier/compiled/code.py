"""The code of the kernel, in LLVM's intermediate language, written for one length of modulus.

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

from collections.abc import Callable, Sequence

from llvmlite import ir

from paillier.compiled.digits import DIGIT_BITS, DIGIT_MASK, LANES, padded
from paillier.compiled.instructions import (
    INDEX,
    INDICES,
    WORD,
    WORDS,
    ZERO_VECTOR,
    Code,
    Loop,
    Vectors,
    word,
)

MULTIPLY_ROWS = "multiply_rows"
ENTER_ROWS = "enter_rows"

# Numbers, each with the digit that multiplies it in this step.
Products = Sequence[tuple[Vectors, ir.Value]]


def kernel_code(digits: int) -> str:
    """The text of a module with both functions."""
    module = ir.Module("paillier")
    _write_multiply_rows(module, digits)
    _write_enter_rows(module, digits)
    return str(module)


def _write_multiply_rows(module: ir.Module, digits: int) -> None:
    """target[target_rows[i]] *= factors[factor_rows[i]] for every i in turn."""
    arguments = [WORDS, INDICES, WORDS, INDICES, WORD, *_Montgomery.ARGUMENTS]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), MULTIPLY_ROWS)
    target, target_rows, factors, factor_rows, count, *constants = function.args
    half = padded(digits)
    code = Code(module, function, half // LANES)
    montgomery = _Montgomery(code, digits, *constants)
    last = code.builder.sub(count, word(1))

    rows = Loop(code.builder, count)
    element = code.row(target, code.index(target_rows, rows.index), 2 * half)
    factor = code.row(factors, code.index(factor_rows, rows.index), 2 * half)
    # Rows come in any order: without the hint the processor waits for each of them.
    following = code.smaller(code.builder.add(rows.index, word(1)), last)
    code.prefetch(code.row(target, code.index(target_rows, following), 2 * half), 2 * half)
    code.prefetch(code.row(factors, code.index(factor_rows, following), 2 * half), 2 * half)
    low, high = code.load(element), code.load(element, half)
    factor_high = code.builder.gep(factor, [word(half)])

    def products(place: ir.Value) -> tuple[Products, Products]:
        x, y = code.broadcast_from(factor, place), code.broadcast_from(factor_high, place)
        return [(low, x)], [(high, x), (low, y)]

    montgomery.write_sum(products, element)
    rows.close()
    code.builder.ret_void()


def _write_enter_rows(module: ir.Module, digits: int) -> None:
    """elements[i] = first[i] constants[0] + second[i] constants[1], for every i.

    Before, the two halves of an element are plain numbers: first and second.
    """
    arguments = [WORDS, WORDS, WORD, *_Montgomery.ARGUMENTS]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), ENTER_ROWS)
    elements, factors, count, *constants = function.args
    half = padded(digits)
    code = Code(module, function, half // LANES)
    montgomery = _Montgomery(code, digits, *constants)
    low1, high1, low2, high2 = (code.load(factors, i * half) for i in range(4))

    rows = Loop(code.builder, count)
    first = code.row(elements, rows.index, 2 * half)
    second = code.builder.gep(first, [word(half)])

    def products(place: ir.Value) -> tuple[Products, Products]:
        x, y = code.broadcast_from(first, place), code.broadcast_from(second, place)
        return [(low1, x), (low2, y)], [(high1, x), (high2, y)]

    montgomery.write_sum(products, first)
    rows.close()
    code.builder.ret_void()


class _Montgomery:
    """Sums of products, divided by R; both halves of an element take each step together."""

    ARGUMENTS = (WORDS, WORDS, WORD)  # the modulus, (1 - R) mod n, -1 / n mod 2^52

    def __init__(
        self, code: Code, digits: int, modulus: ir.Value, high_start: ir.Value, inverse: ir.Value
    ) -> None:
        self._code, self._digits, self._inverse = code, digits, inverse
        self._modulus, self._high_start = code.load(modulus), code.load(high_start)
        self._lowest_digit = code.builder.load(modulus)
        self._scratch = code.builder.alloca(WORD, size=word(2 * padded(digits)))
        self._scratch.align = 8 * LANES

    def write_sum(
        self, products: Callable[[ir.Value], tuple[Products, Products]], element: ir.Value
    ) -> None:
        """The element becomes the sum over all places of the low and of the high products."""
        code, vectors = self._code, len(self._modulus)
        start = [*[ZERO_VECTOR] * vectors, *self._high_start]
        loop = Loop(code.builder, word(self._digits), start)
        low_products, high_products = products(loop.index)
        low, quotient = self._step(loop.carried[:vectors], low_products, word(0))
        complement = code.builder.sub(word(DIGIT_MASK), quotient)
        high, _ = self._step(loop.carried[vectors:], high_products, complement)
        sums = loop.close([*low, *high])
        code.store(sums[:vectors], self._scratch)
        code.store(sums[vectors:], self._scratch, vectors * LANES)
        code.carry(self._scratch, element)

    def _step(
        self, sums: Vectors, products: Products, addend: ir.Value
    ) -> tuple[list[ir.Value], ir.Value]:
        """(sums + products + addend + quotient * modulus) / 2^52, and the quotient's digit."""
        code, builder, mask = self._code, self._code.builder, word(DIGIT_MASK)
        # Everything waits for the quotient, which the lowest vector decides: its products are
        # summed apart, while the sums of the step before are not known yet.
        lowest_low, lowest_high, others = [ZERO_VECTOR], [ZERO_VECTOR], list(sums[1:])
        for numbers, factor in products:
            lowest_low = code.add_low_bits(lowest_low, numbers[:1], factor)
            lowest_high = code.add_high_bits(lowest_high, numbers[:1], factor)
            others = code.add_low_bits(others, numbers[1:], factor)
        sums = [builder.add(sums[0], lowest_low[0]), *others]
        lowest = builder.add(builder.extract_element(sums[0], INDEX(0)), addend)
        quotient = builder.and_(builder.mul(lowest, self._inverse), mask)
        cleared = builder.and_(builder.mul(quotient, self._lowest_digit), mask)
        carried = builder.lshr(builder.add(lowest, cleared), word(DIGIT_BITS))
        carried = builder.insert_element(ZERO_VECTOR, carried, INDEX(0))
        multiple = code.broadcast(quotient)
        first, *others = code.drop_lowest_digit(code.add_low_bits(sums, self._modulus, multiple))
        for numbers, factor in products:
            others = code.add_high_bits(others, numbers[1:], factor)
        sums = [builder.add(first, builder.add(lowest_high[0], carried)), *others]
        return code.add_high_bits(sums, self._modulus, multiple), quotient
