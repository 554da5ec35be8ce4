"""Cases: a task and a fault, as a text by which each can be run again.

`vae:rename:KILL:before:3` is the training of a VAE that is killed before it
renames its third file.
"""

import concurrent.futures
import random
import time

from kgen import registry
from tests.faults import damage, disk, kills

FAULTS = {
    "nothing": kills.nothing,
    "rename": kills.rename,
    "moment": kills.moment,
    "member": kills.member,
    "stop": kills.stop,
    "disk": disk.fill,
    "newest": damage.newest,
    "every": damage.every,
    "model": damage.model,
}
SIGNALS = ("KILL", "TERM")
# Commands that train nothing themselves read a run.
READERS = ("evaluate", "export")


def run(bench, case):
    """Runs a case.

    Args:
        bench: A `Bench`.
        case: Its text.

    Returns:
        What is wrong in the end, as sentences; its folder is then left there.
    """
    name, fault, *arguments = case.split(":")
    task = bench.tasks[name]
    bench.undisturbed(task)
    folder = bench.fresh(task, case.partition(":")[2].replace(":", "-"))
    problems = FAULTS[fault](bench, task, folder, *arguments)
    if not problems:
        bench.discard(folder)
    return problems


def run_all(bench, cases, jobs=2, minutes=float("inf"), tell=None):
    """Runs cases, some at a time.

    Args:
        bench: A `Bench`.
        cases: Their texts.
        jobs: How many at a time.
        minutes: After how many no case is begun.
        tell: Function of a case and what is wrong with it; or None.

    Returns:
        Dictionary from cases to what is wrong with them: lists of sentences,
        or None where a case was not begun.
    """
    until = time.monotonic() + 60 * minutes

    def tried(case):
        if time.monotonic() > until:
            return None
        try:
            problems = run(bench, case)
        except Exception as error:  # the others are to be run all the same
            problems = [f"{type(error).__name__}: {error}"]
        if tell:
            tell(case, problems)
        return problems

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return dict(zip(cases, pool.map(tried, cases)))


def failed(found):
    """Of what `run_all` returned, the cases with problems."""
    return {case: problems for case, problems in found.items() if problems}


def renames(bench, name, signals=SIGNALS):
    """Signals before and after each rename of a task.

    Args:
        bench: A `Bench`.
        name: The task's.
        signals: Names of signals.

    Returns:
        List of cases.
    """
    count = len(bench.undisturbed(bench.tasks[name]).renames)
    return [
        f"{name}:rename:{sign}:{when}:{number}"
        for sign in signals
        for number in range(1, count + 1)
        for when in ("before", "after")
    ]


def moments(name, seed, count, signals=SIGNALS):
    """Signals at random moments of a task.

    Args:
        name: The task's.
        seed: Of the moments.
        count: How many of each signal.
        signals: Names of signals.

    Returns:
        List of cases.
    """
    chance = random.Random(f"{name} {seed}")
    return [
        f"{name}:moment:{sign}:{chance.random():.4f}"
        for sign in signals
        for _ in range(count)
    ]


def disks(name, seed, count):
    """Disks of random sizes that fill up; arguments as in `moments`."""
    chance = random.Random(f"{name} {seed}")
    return [f"{name}:disk:{chance.random():.4f}" for _ in range(count)]


def damages(name, seed, count, fault="newest"):
    """Damaged files of each kind; arguments as in `moments`."""
    return [
        f"{name}:{fault}:{kind}:{number}"
        for kind in damage.KINDS
        for number in range(seed * count, (seed + 1) * count)
    ]


def members(name, seed, count):
    """Faults of the chief and the two workers; arguments as in `moments`."""
    chance = random.Random(f"{name} members {seed}")
    return [
        f"{name}:member:{sign}:{chance.random():.4f}:{chance.randrange(3)}"
        for sign in SIGNALS
        for _ in range(count)
    ]


def full(bench, seed, count=20, only=""):
    """All cases.

    Args:
        bench: A `Bench`.
        seed: Of what is random.
        count: How many random ones of each kind there are.
        only: Tasks of other names are left out; none, if empty.

    Returns:
        List of cases.
    """
    found = []
    for name in bench.tasks:
        if only and name != only:
            continue
        found.append(f"{name}:nothing")
        if name == "tune-2":
            found += members(name, seed, count)
            found += [f"{name}:stop:0.7:{number}:60" for number in (1, 2)]
            found += moments(name, seed, count)
            continue
        found += renames(bench, name)
        found += moments(name, seed, count)
        found += disks(name, seed, count)
        if name in registry.MODELS:
            found += damages(name, seed, count)
            found += damages(name, seed, count // 4, "every")
        if name in READERS:
            found += damages(name, seed, count, "model")
    return found
