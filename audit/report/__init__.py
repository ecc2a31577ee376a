"""One page that says what a federation did: for people, on paper and on a telephone (D4)."""
