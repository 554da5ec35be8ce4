"""The snippets of README and docs, and what is done with each of them."""

import dataclasses
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    *sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "docs").rglob("*.md")
    ),
]

# What is not run here, by how it begins, and why.
NOT_RUN = {
    "import grpc": "tests/export/test_clients.py runs it against a server",
    "curl ": "tests/export/test_clients.py runs it against a server",
    "docker ": "needs Docker; tests/export/check_server.py asks a real server",
    "tox": "it runs the tests",
    "eval ": "tests/test_look.py asks for completions",
    "pip install": "tox and the continuous integration install so",
    "python benchmarks/": "takes minutes to hours; what it wrote is in "
    "benchmarks/results, with which test_pages.py compares the tables",
    "kgen tune": "takes hours; tests/studies runs small studies",
    "kgen compare": "takes minutes; tests/test_comparison.py runs a small one",
    "kgen train vae --data /data/fashion": "needs two machines; tests/parallel "
    "and tests/models/test_mirrored.py run several workers",
    "kgen train vae --strategy mirrored": "the tests have one strategy for all; "
    "tests/models/test_mirrored.py trains with it",
    "export TF_CONFIG": "belongs to the command above it",
}
# In the place of what takes long.
SMALLER = {
    "max_epochs=50": "max_epochs=2",
    "num_samples=500": "num_samples=5",
    "tf.distribute.MirroredStrategy()": "tf.distribute.get_strategy()",
}


@dataclasses.dataclass(frozen=True)
class Snippet:
    """A block of code in a document."""

    document: str
    language: str
    code: str

    @property
    def reason(self) -> str | None:
        """Why it is not run, or None."""
        for start, reason in NOT_RUN.items():
            if self.code.startswith(start):
                return reason
        return None


def snippets(language: str) -> list[Snippet]:
    """The blocks of a language, document by document."""
    found = []
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        blocks = re.findall(
            rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        )
        found += [Snippet(document, language, code) for code in blocks]
    return found


def commands() -> list[Snippet]:
    """The commands of shell blocks, one by one, and README's two lines."""
    blocks = snippets("bash")
    readme = (ROOT / "README.md").read_text()
    lines = re.findall(r"^    (pip .*)$", readme, re.MULTILINE)
    blocks += [
        Snippet("README.md", "bash", part)
        for line in lines
        for part in line.split(" && ")
    ]
    found = []
    for block in blocks:
        text = re.sub(r"\\\n\s*", "", block.code)
        text = re.sub(r"('[^']*)\n\s*([^']*')", r"\1 \2", text)
        found += [
            Snippet(block.document, "bash", line)
            for line in text.splitlines()
            if line.strip() and not line.startswith("#")
        ]
    return found


def words(command: Snippet) -> list[str]:
    """The arguments of a `kgen` command."""
    return shlex.split(command.code)[1:]
