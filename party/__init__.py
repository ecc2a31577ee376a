"""A party at work: its folder, its identity, and the three pumps around its log."""
