"""Proving what a party did: from its log, its secret and its data (requirement D4)."""
