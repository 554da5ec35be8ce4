"""One `kgen` command in a process of its own, which may die on its way.

By hand, this kills a training before its third rename of a file:

    python -m tests.faults.child 3 before KILL -- train vae --out run
"""

import dataclasses
import functools
import itertools
import os
import resource
import signal
import sys


@dataclasses.dataclass(frozen=True)
class Death:
    """The rename of a file at which a process sends itself a signal.

    Args:
        number: Which one, counted from 1.
        when: `"before"` or `"after"`.
        sign: Name of the signal, such as `"KILL"`.
    """

    number: int
    when: str
    sign: str

    def __call__(self, number, when):
        if (number, when) == (self.number, self.when):
            os.kill(os.getpid(), signal.Signals[f"SIG{self.sign}"])


def hook_renames(death=None, names=None):
    """Makes `os.rename` and `os.replace` count, and die where they are told to.

    All that kgen writes appears by one of the two.

    Args:
        death: A `Death`, or None.
        names: File to which the new name of each renamed file is added, or None.
    """
    numbers = itertools.count(1)

    def hooked(rename):
        @functools.wraps(rename)
        def counted(source, target, **options):
            number = next(numbers)
            if names:
                with open(names, "a") as lines:
                    lines.write(f"{os.path.basename(target)}\n")
            if death:
                death(number, "before")
            rename(source, target, **options)
            if death:
                death(number, "after")

        return counted

    os.rename, os.replace = hooked(os.rename), hooked(os.replace)


def run(folder, arguments, death=None, limit=None):
    """Runs `kgen` in a forked process; its messages are in `FOLDER.log`.

    Args:
        folder: Where it runs, a string.
        arguments: Those of the command.
        death: A `Death`, or None.
        limit: Bytes beyond which no file can grow, or None.
    """
    os.setsid()  # so that all processes of the command can be found
    os.chdir(folder)
    os.environ["KGEN_CACHE"] = os.path.join(folder, "cache")
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, file in enumerate((nothing, log, log)):
        os.dup2(file, number)
    hook_renames(death, f"{folder}.renames")
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    from kgen.cli import main

    main(list(arguments), prog_name="kgen")


def answer(path):
    """Writes what a SavedModel answers as `PATH.npz`, in a forked process.

    Args:
        path: Of a version of an export, a string.
    """
    import numpy as np
    import tensorflow as tf

    signatures = tf.saved_model.load(path).signatures
    sample = {"num_samples": tf.constant(5), "seed": tf.constant(0)}
    np.savez(
        f"{path}.npz",
        **signatures["decode"](z=tf.ones((3, 2))),
        sample=signatures["sample"](**sample)["images"],
    )


if __name__ == "__main__":
    end = sys.argv.index("--")
    number, when, sign = (*sys.argv[1:end], "KILL")[:3]
    hook_renames(Death(int(number), when, sign))
    from kgen.cli import main

    main(sys.argv[end + 1 :], prog_name="kgen")
