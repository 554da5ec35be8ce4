"""Python processes that need not import TensorFlow: forked from one that has.

Importing it takes seconds, and a fork a tenth of one.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys

_start = subprocess.Popen  # which tests replace


class Popen:
    """Stands in for `subprocess.Popen` of `[sys.executable, "-c", code, ...]`.

    Args:
        args: The command.
        env: Its environment; None for that of this process.
        stdin: `subprocess.PIPE` or None.
        stdout: `subprocess.PIPE`, a file or None.
        stderr: A file or None.
    """

    def __init__(self, args, env=None, stdin=None, stdout=None, stderr=None):
        python, option, *self.args = args
        assert (python, option) == (sys.executable, "-c"), args
        self.returncode = None
        with contextlib.ExitStack() as stack:
            self.stdin, stdin = _pipe(stack, stdin, is_input=True)
            self.stdout, stdout = _pipe(stack, stdout)
            self._status, tells = _pipe(stack, subprocess.PIPE)
            files = [
                number if file is None else file.fileno()
                for number, file in enumerate((stdin, stdout, stderr))
            ]
            request = {
                "args": self.args,
                "environment": dict(os.environ if env is None else env),
                "folder": os.getcwd(),
            }
            data = json.dumps(request).encode()
            socket.send_fds(_parent(), [data], [*files, tells.fileno()])
        self.pid = self._told()

    def _told(self):
        data = self._status.read(4)
        assert len(data) == 4, "the process that forks others has died"
        return struct.unpack("i", data)[0]

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = self._told()
            self._status.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        for file in (self.stdin, self.stdout):
            if file:
                file.close()
        self.wait()


def _pipe(stack, file, is_input=False):
    """This process's end of a pipe, if one is wanted, and the other's."""
    if file != subprocess.PIPE:
        return None, file
    reads, writes = os.pipe()
    reads, writes = os.fdopen(reads, "rb", 0), os.fdopen(writes, "wb", 0)
    ours, theirs = (writes, reads) if is_input else (reads, writes)
    stack.enter_context(theirs)
    return ours, theirs


@functools.cache
def _parent():
    """A socket to the process that forks, which ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = _start(
            [sys.executable, "-c", "from tests import forked; forked.main()"],
            cwd=pathlib.Path(__file__).parents[1],
            stdin=theirs,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # first, since the last is called first
    return ours


def main():
    """Forks a process for each request on the standard input, a socket."""
    importlib.import_module("tests.faults.warm")
    requests = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leaves no zombies
    while True:
        data, files, _, _ = socket.recv_fds(requests, 1 << 20, 4)
        if not data:
            return
        if not os.fork():
            requests.close()
            _watch(json.loads(data), files)
            return
        for file in files:
            os.close(file)


def _watch(request, files):
    """Forks the process, and tells its number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, status = files
    child = os.fork()
    if not child:
        os.close(status)
        _run(standard, **request)
        return
    for file in (0, *standard):  # else a pipe would never come to its end
        os.close(file)
    os.write(status, struct.pack("i", child))
    _, ended = os.waitpid(child, 0)
    os.write(status, struct.pack("i", os.waitstatus_to_exitcode(ended)))
    os._exit(0)


def _run(files, args, environment, folder):
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    code, *sys.argv[1:] = args
    exec(code, {"__name__": "__main__"})
