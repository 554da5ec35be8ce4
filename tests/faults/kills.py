"""Commands that a signal ends, or stops for a while."""

import time

from tests.faults import child, compare, processes


def nothing(bench, task, folder):
    """No fault at all: the same command gives the same work twice."""
    ended = processes.run(folder, task.command)
    wanted = bench.undisturbed(task).folder
    return ended.problems() or task.differences(folder, wanted)


def rename(bench, task, folder, sign, when, number):
    """A signal before or after a rename.

    Args:
        bench: A `Bench`.
        task: A `Task`.
        folder: A fresh one.
        sign: `"KILL"` or `"TERM"`.
        when: `"before"` or `"after"`.
        number: Which rename, counted from 1.

    Returns:
        What is wrong in the end, as sentences.
    """
    death = child.Death(int(number), when, sign)
    ended = processes.run(folder, task.command, death=death)
    if ended.status == 0:
        return [f"the signal at rename {number} ended nothing"]
    return compare.unreadable(folder) + bench.mended(task, folder)


def moment(bench, task, folder, sign, share):
    """A signal after a share of the time that the undisturbed command takes.

    Args:
        bench: As in `rename`.
        task: As in `rename`.
        folder: As in `rename`.
        sign: `"KILL"`, `"TERM"` or `"INT"`.
        share: From 0 to 1.

    Returns:
        As `rename`.
    """
    seconds = float(share) * bench.undisturbed(task).seconds
    command = processes.Command(folder, task.command)
    if not command.wait(seconds):
        command.send(sign)
    command.end()
    return compare.unreadable(folder) + bench.mended(task, folder)


def member(bench, task, folder, sign, share, number):
    """A signal to a process that the command has started.

    Args:
        bench: As in `rename`.
        task: As in `rename`.
        folder: As in `rename`.
        sign: As in `rename`.
        share: As in `moment`.
        number: Which process: 0 is the chief, others are workers.

    Returns:
        As `rename`.
    """
    command, _ = _after(bench, task, folder, share, number, sign)
    command.end()
    return compare.unreadable(folder) + bench.mended(task, folder)


def stop(bench, task, folder, share, number, seconds):
    """A process that the command has started stands still for a while.

    Args:
        bench: As in `member`.
        task: As in `member`.
        folder: As in `member`.
        share: As in `member`.
        number: As in `member`.
        seconds: For how long.

    Returns:
        What is wrong in the end: the command itself must end well.
    """
    command, pid = _after(bench, task, folder, share, number, "STOP")
    command.wait(float(seconds))
    if pid:
        command.send("CONT", pid)
    ended = command.end()
    wanted = bench.undisturbed(task).folder
    return ended.problems() or task.differences(folder, wanted)


def _after(bench, task, folder, share, number, sign):
    """A command one of whose processes was sent a signal; and which one."""
    seconds = float(share) * bench.undisturbed(task).seconds
    begun = time.monotonic()
    command = processes.Command(folder, task.command)
    while len(members := command.members()) <= int(number):
        if command.wait(0.05):
            return command, None
    if command.wait(begun + seconds - time.monotonic()):
        return command, None
    command.send(sign, members[int(number)])
    return command, members[int(number)]
