"""What each role decides: event in, events out; pure functions of the log, data and secret."""
