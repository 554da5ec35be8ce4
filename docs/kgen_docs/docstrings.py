"""What docstrings say of arguments."""

import inspect
import re
import textwrap


def arguments(documented: object) -> dict[str, str]:
    """The descriptions of a function's or class's arguments, by their names.

    Args:
        documented: What has a docstring with a section `Args:`; or a module whose
            docstring has such lines, indented.

    Returns:
        Dictionary of texts, each on one line.
    """
    text = inspect.cleandoc(documented.__doc__ or "")
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.M | re.S)
    if section is None and inspect.ismodule(documented):
        section = re.search(r"^(    \w+: .*)", text, re.M | re.S)
    if section is None:
        return {}
    lines = textwrap.dedent(section[1])
    found = re.findall(r"^\**(\w+): (.*?)(?=^\S|\Z)", lines, re.M | re.S)
    return {name: " ".join(text.split()) for name, text in found}
