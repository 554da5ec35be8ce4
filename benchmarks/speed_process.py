"""Contenders of speed.py in processes of their own.

    Process(python, script, folder)       in speed.py
    serve(version, build, sys.argv[1])    in the script, at its end

A request is a line of JSON, and so is its answer, so that libraries that don't
share an environment, or fight for threads and memory, can take turns.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

# BLAS kernels that someone has chosen for other reasons than speed.
_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not everywhere
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


class Failed(Exception):
    """A contender that can't do what was asked; the message says why."""


class Process:
    """The process of one script, which answers until the pipe is closed.

    Args:
        python: Interpreter of the script's environment.
        script: Name of a file beside this one.
        folder: Where the pictures are.
    """

    def __init__(self, python, script, folder):
        path = pathlib.Path(__file__).with_name(script)
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in _KERNELS
        }
        # JAX and TensorFlow would take all of a GPU's memory at once.
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        self.process = subprocess.Popen(
            [python, str(path), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )
        self.version = self.ask(do="version")

    def ask(self, **request):
        """Sends a request and returns the answer.

        Raises:
            Failed: If the process can't do it, or is no more.
        """
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.kill()
            self.process.wait()
            self.errors.seek(0)
            lines = self.errors.read().strip().splitlines() or ["no message"]
            raise Failed(f"the process ended: {lines[-1]}") from None
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["answer"]

    def build(self, case, variant):
        """Returns a contender with `sizes` and `train`."""
        return Remote(self, case, variant)

    def close(self):
        """Lets the process end."""
        with contextlib.suppress(OSError):  # it may have ended already
            self.process.stdin.close()
        self.process.wait()
        self.errors.close()


class Remote:
    """A contender in another process."""

    def __init__(self, process, case, variant):
        self.process, self.variant = process, variant
        self.sizes = process.ask(do="build", case=case, variant=variant)

    def train(self, steps, epochs):
        """Returns seconds, and the losses of the last epoch by name."""
        return self.process.ask(
            do="train", variant=self.variant, steps=steps, epochs=epochs
        )

    def drop(self):
        """Frees the memory of all contenders of the process."""
        with contextlib.suppress(Failed):
            self.process.ask(do="drop")


def serve(version, build, folder):
    """Answers requests on standard input until it ends.

    Args:
        version: Text: what this is, and on what device it runs.
        build: Function of a case's name, a variant's name and the folder, that
            returns an object with `sizes` and `train(steps, epochs)`.
        folder: Where the pictures are.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    built = {}

    def answer(do, case=None, variant=None, steps=None, epochs=None):
        if do == "version":
            return version
        if do == "build":
            built[variant] = build(case, variant, folder)
            return built[variant].sizes
        if do == "drop":
            return built.clear()
        return built[variant].train(steps, epochs)

    for line in sys.stdin:
        try:
            reply = {"answer": answer(**json.loads(line))}
        except Exception as error:
            traceback.print_exc()
            text = (str(error).strip().splitlines() or [""])[0]
            reply = {"error": f"{type(error).__name__}: {text}"}
        print(json.dumps(reply), file=answers, flush=True)
