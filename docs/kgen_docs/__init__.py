"""What the pages of the site are made of, beside their text.

Pages name a macro on a line of its own, such as `{{ metrics() }}`, and get what the
code says at the time of the build, so that no page can fall behind it. Only
`docs/hooks.py` knows of MkDocs.
"""
