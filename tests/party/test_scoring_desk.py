"""A data party's work on tasks, in its own engines: handles found, rows limited, scores as SQL."""
