"""Formulas in LaTeX become MathML, which browsers draw without any script."""

import html
import re

from latex2mathml import converter

_FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.S
)
# A function's name, which its argument should not touch.
_NAMED = re.compile(r"(<mi>(?:log|exp)</mi>)(?!<mo)")


def as_mathml(page: str) -> str:
    """Converts all formulas of a page.

    Args:
        page: HTML, in which pymdownx.arithmatex has marked formulas.

    Returns:
        HTML.
    """
    return _FORMULA.sub(_converted, page)


def _converted(match):
    tag, bracket, text = match.groups()
    display = "inline" if bracket == "(" else "block"
    mathml = converter.convert(html.unescape(text), display=display)
    mathml = _NAMED.sub(r"\1<mspace width='0.17em'/>", mathml)
    return f'<{tag} class="formula">{mathml}</{tag}>'
