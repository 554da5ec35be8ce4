"""Who takes part in speed.py, and how each is made.

names = chosen(None, pythons, gpus)
Contenders(pythons, folder).make("torch", "gan", images)
"""

import sys

import speed_kgen
import speed_tf
from speed_cases import CASES
from speed_process import Process

# Those of this process.
OWN = {
    "kgen": speed_kgen.Kgen,
    "kgen-guard": lambda *args: speed_kgen.Kgen(*args, guard=True),
    "kgen-xla": lambda *args: speed_kgen.Kgen(*args, jit_compile=True),
    "kgen-lazy": lambda *args: speed_kgen.Kgen(*args, penalty_every=16),
    "kgen-mixed": lambda *args: speed_kgen.Kgen(*args, mixed=True),
    "tf": speed_tf.build,
}
# A script in an environment, and its variant.
FOREIGN = {
    "torch": ("torch", "eager"),
    "torch-channels-last": ("torch", "channels-last"),
    "torch-compiled": ("torch", "compiled"),
    "jax": ("jax", "jitted"),
    "pythae": ("pythae", "trainer"),
    "floor": ("floors", "floor"),
}


def suits(contender, case):
    """Whether a contender has something to say on a case."""
    if contender in ("jax", "pythae"):
        return case.model == "vae"
    if contender == "kgen-lazy":
        return case.penalty is not None
    return contender != "torch-channels-last" or case.network != "dense"


def chosen(names, pythons, gpus, mixed=False):
    """The contenders' names, kgen first: the others are compared with it.

    Args:
        names: Those that were asked for; None for all that there are.
        pythons: Dictionary from scripts to interpreters, or to None.
        gpus: Names of the GPUs.
        mixed: Whether kgen in half precision is one, where there is a GPU.
    """

    def is_missing(name):
        script, _ = FOREIGN.get(name, (None, None))
        return script in pythons and not pythons[script]

    if names is None:
        names = ["tf", *FOREIGN]
        names = [name for name in names if not is_missing(name)]
        names = ["kgen-xla", *names] if gpus else names
    for name in filter(is_missing, names):
        option = f"--{FOREIGN[name][0]}-python"
        sys.exit(f"The contender {name} needs an environment: {option}.")
    if mixed and gpus:
        names = ["kgen-mixed", *names]
    elif mixed:
        print("There is no GPU: --mixed is left out.", file=sys.stderr)
    return list(dict.fromkeys(["kgen", *names]))


class Contenders:
    """Makes contenders; a script's process is started once.

    Args:
        pythons: Dictionary from scripts to interpreters.
        folder: Where the pictures are, for the processes.
    """

    def __init__(self, pythons, folder):
        self.pythons, self.folder = pythons, folder
        self.processes = {}

    def make(self, name, case, images):
        """Returns a contender with `sizes`, `train` and `drop`.

        Raises:
            Failed: If it can't do the case.
        """
        if name in OWN:
            return OWN[name](CASES[case], images)
        script, variant = FOREIGN[name]
        if script not in self.processes:
            self.processes[script] = Process(
                self.pythons.get(script, sys.executable),
                f"speed_{script}.py",
                self.folder,
            )
        return self.processes[script].build(case, variant)

    def versions(self):
        """Lines about the libraries of the processes, and their devices."""
        return [process.version for process in self.processes.values()]

    def close(self):
        for process in self.processes.values():
            process.close()
