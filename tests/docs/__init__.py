"""The README, the documentation site and its snippets."""
