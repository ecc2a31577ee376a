"""Bytes from outside: no input may crash a decoder or make it take more room than it was given."""
