"""`tally serve`: a party at work that answers business systems, over HTTP and from a queue (S4)."""
