"""Model files, ours and those of common libraries, read into model documents (C1, C4)."""
