"""Exports a run in processes that are killed on the way, or run at once.

    python exporter.py RUN ROOT POINT...

For each POINT, copies of this process export to ROOT/POINT: one, which is killed
as by `kill -9` where a function is called (`before:NAME`) or has returned
(`after:NAME`); or two at once (`together`). Prints their exit codes.
"""

import contextlib
import os
import pathlib
import pkgutil
import signal
import sys
import traceback
from unittest import mock

# Nothing of TensorFlow runs in this process: its threads would not be copied.
from kgen import runs
from kgen.runs import export


def export_run(run, root, point):
    run = runs.Run(run)
    with killing(point):
        export.export(run, run.model(), root, export.ExportSettings())


def killing(point):
    """The function of a point, in whose place the process is killed."""
    when, _, name = point.partition(":")
    if when == "together":
        return contextlib.nullcontext()
    original = pkgutil.resolve_name(name)

    def function(*args, **kwargs):
        if when == "after":
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return mock.patch(name, function)


def copy(function, *arguments):
    """Calls a function in a fork of this process; returns that one's number."""
    pid = os.fork()
    if not pid:
        code = 1
        with contextlib.suppress(BaseException):
            try:
                function(*arguments)
                code = 0
            except Exception:
                traceback.print_exc()
        os._exit(code)
    return pid


def main(run, root, *points):
    for point in points:
        copies = [
            copy(export_run, run, pathlib.Path(root, point), point)
            for _ in range(2 if point == "together" else 1)
        ]
        for pid in copies:
            _, status = os.waitpid(pid, 0)
            sys.stdout.write(f"{point} {os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
