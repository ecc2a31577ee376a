"""The vocabulary: one typed, frozen model per protocol step, in a signed envelope (D1)."""
