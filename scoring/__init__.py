"""Models as tables, and scores by SQL on an engine that the data already lives in (C, S)."""
