"""Files whose bytes have changed since they were written."""

import random
import shutil

from tests.faults import compare, processes, tasks

_BITS = 200


def truncate(data, chance):
    """The bytes up to a random place."""
    return data[: chance.randrange(len(data))]


def zero(data, chance):
    """The bytes with a random part of zeros, at least a tenth of all."""
    start = chance.randrange(int(0.9 * len(data)))
    end = chance.randrange(start + len(data) // 10, len(data) + 1)
    return data[:start] + bytes(end - start) + data[end:]


def flip(data, chance):
    """The bytes with random bits turned over."""
    changed = bytearray(data)
    for place in chance.sample(range(8 * len(data)), _BITS):
        changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


KINDS = {"truncate": truncate, "zero": zero, "flip": flip}


def newest(bench, task, folder, kind, seed):
    """The newest checkpoint of a run that is to go on is damaged.

    Args:
        bench: A `Bench`.
        task: A `Task` that trains.
        folder: A fresh one.
        kind: Key of `KINDS`.
        seed: Of the damage.

    Returns:
        What is wrong in the end, as sentences.
    """
    _halfway(bench, task, folder)
    path = max(_checkpoints(folder), key=lambda path: path.stat().st_mtime_ns)
    _damage(path, kind, seed)
    # It may be kept, by a name that tells what it is.
    aside = f"{path.relative_to(folder)}.damaged should not be there"
    return [one for one in bench.mended(task, folder) if one != aside]


def every(bench, task, folder, kind, seed):
    """All checkpoints are damaged: that must be told, or be made good.

    Args:
        bench: As in `newest`.
        task: As in `newest`.
        folder: As in `newest`.
        kind: As in `newest`.
        seed: As in `newest`.

    Returns:
        As `newest`.
    """
    _halfway(bench, task, folder)
    damaged = _checkpoints(folder)
    for number, path in enumerate(damaged):
        _damage(path, kind, f"{seed} {number}")
    before = compare.files(folder)
    ended = processes.run(folder, task.again(folder))
    wanted = bench.undisturbed(task).folder
    if ended.status == 0:
        return task.differences(folder, wanted)
    said = [] if ended.refused() else ended.problems()
    if not any(path.name in ended.text for path in damaged):
        said.append(f"no damaged file is named: {ended.text[-300:]}")
    kept = {name.removesuffix(".damaged") for name in compare.files(folder)}
    lost = {name for name in before if name.endswith((".h5", ".keras"))} - kept
    return said + [f"{name} was deleted" for name in sorted(lost)]


def model(bench, task, folder, kind, seed):
    """The model that a command reads is damaged.

    Args:
        bench: As in `newest`.
        task: A `Task` that reads a run.
        folder: As in `newest`.
        kind: As in `newest`.
        seed: As in `newest`.

    Returns:
        As `newest`: the command must refuse it, or do its work exactly.
    """
    path = folder / tasks.RUN / "model.keras"
    whole = path.read_bytes()
    _damage(path, kind, seed)
    ended = processes.run(folder, task.command)
    path.write_bytes(whole)
    if ended.status:
        return [] if ended.refused() else ended.problems()
    wanted = bench.undisturbed(task).folder
    return task.differences(folder, wanted)


def _checkpoints(folder):
    return sorted((folder / tasks.RUN / "checkpoints").glob("*.h5"))


def _damage(path, kind, seed):
    data = path.read_bytes()
    path.write_bytes(KINDS[kind](data, random.Random(f"{kind} {seed}")))


def _halfway(bench, task, folder):
    """Brings the run in a folder to the end of its second epoch of three."""
    kept = bench.folder / f"{task.name}.halfway"
    with bench.locks[task.name]:
        if not kept.exists():
            bench.fresh(task, "halfway")
            arguments = list(task.command)
            arguments[arguments.index("--epochs") + 1] = "2"
            bench.must(processes.run(kept, arguments))
    shutil.copytree(kept, folder, dirs_exist_ok=True)
