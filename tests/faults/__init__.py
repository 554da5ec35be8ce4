"""Commands that are killed, disks that are full, files that are damaged.

`python -m tests.faults --all` runs everything, and prints a table;
`tox -e slow` runs a small sample of it.
"""
