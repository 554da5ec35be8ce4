"""The macros of the pages: lines such as `{{ metrics() }}`."""

import ast
import re

from kgen_docs import quoting

_LINE = re.compile(r"^\{\{ (\w+)\((.*)\) \}\}$", re.M)


def expand(text: str) -> str:
    """Puts what macros give in the place of their lines.

    Args:
        text: Markdown.

    Returns:
        Markdown.

    Raises:
        ValueError: If there is no such macro, or it can't be had.
    """

    def called(line):
        name, arguments = line.groups()
        if name not in _macros():
            raise ValueError(f"There is no macro {name}.")
        return _macros()[name](
            *ast.literal_eval(f"({arguments},)" if arguments else "()")
        )

    return _LINE.sub(called, text)


def _macros():
    # Those that import kgen and so TensorFlow, only when they are used.
    from kgen_docs import api, commands, facts, repository, results, settings

    return {
        "api": api.api,
        "commands": commands.commands,
        "file": repository.file,
        "lists": commands.lists,
        "metrics": facts.metrics,
        "results": results.results,
        "settings": settings.settings,
        "signatures": facts.signatures,
        "source": quoting.source,
        "test": quoting.test,
    }
