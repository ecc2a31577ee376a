"""`tally demo`: a whole federation on this machine, on real data, with nothing to set up."""
