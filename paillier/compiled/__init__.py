"""The kernel compiled at run time, for processors with AVX512-IFMA (the optional extra `fast`).

The same integers as gmpy2's, several times sooner: one product modulo n^2 takes a sixth of the
time. Operations are lists of such products, whole vectors at a time.
"""
