"""The same bytes for every reader of a format: they must read the same, or all refuse.

A file that one reader takes for another thing than the next one is a hole: what was looked at is not what serves. So
files that are nearly right are made out of right ones by a seed, and laid down as on a machine; Python, the sh tool
with each awk, and the Go code of `go-plugin` say what they read. `formats.py` has what is read by whom.
"""
