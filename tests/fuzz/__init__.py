"""A search for input that kgen neither takes nor refuses in words.

What is drawn is the same each time, so that a test fails or passes by the code
alone:

    pytest -m slow tests/fuzz

A longer search, which draws anew each time, and remembers what it has found:

    pytest -m slow tests/fuzz --hypothesis-profile=long

What it finds goes into `corpus`, a folder for each kind of file, whose files
the quick tests read again; or into the lists of a test's values.
"""
