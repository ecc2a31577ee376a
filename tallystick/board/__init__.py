"""The board: a party's log, jobs and health in a browser, live and read-only (requirement D4)."""
