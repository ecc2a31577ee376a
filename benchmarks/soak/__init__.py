"""Jobs under faults, for a bounded time: killed parties, lost brokers, cut networks, full disks."""
