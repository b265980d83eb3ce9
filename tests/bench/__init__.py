"""`make bench`: speed and memory against other programs that do the same, measured in turn in one run."""
