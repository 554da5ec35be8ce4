"""Where commands are disturbed, and judged by undisturbed ones."""

import dataclasses
import pathlib
import shutil
import threading

from tests.faults import compare, processes, tasks


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """A command that nothing has disturbed.

    Args:
        folder: Where its work is.
        seconds: How long it took.
        renames: New names of the files that it renamed, in order.
    """

    folder: pathlib.Path
    seconds: float
    renames: tuple


class Bench:
    """A folder of tasks.

    Args:
        folder: `pathlib.Path`.
    """

    def __init__(self, folder):
        self.folder = folder
        self.inputs = folder / "inputs"
        self.inputs.mkdir(parents=True)
        tasks.write_inputs(self.inputs)
        self.tasks = tasks.all_tasks(self.inputs)
        self._undisturbed = {}
        # Of what is made once, when it is first needed.
        self.locks = {
            name: threading.RLock() for name in (*self.tasks, tasks.RUN)
        }

    def fresh(self, task, name):
        """A new folder in which a task can run."""
        folder = self.folder / f"{task.name}.{name}"
        folder.mkdir()
        for one in task.inputs:
            self._copy(one, folder / one)
        return folder

    def _copy(self, name, place):
        source = self.inputs / name
        with self.locks[tasks.RUN]:
            if name == tasks.RUN and not source.exists():
                task = tasks.train(self.inputs, "vae", tasks.VECTORS)
                self.must(processes.run(self.inputs, task.command))
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            shutil.copy(source, place)

    def must(self, ended):
        """Returns how a command ended that nothing disturbs; raises if not well."""
        if ended.problems():
            raise RuntimeError(f"without any fault, {ended.problems()[0]}")
        return ended

    def undisturbed(self, task):
        """The task without any fault, run once; an `Undisturbed`."""
        with self.locks[task.name]:
            if task.name not in self._undisturbed:
                folder = self.fresh(task, "undisturbed")
                ended = self.must(processes.run(folder, task.command))
                renames = folder.with_name(f"{folder.name}.renames")
                names = renames.read_text().split() if renames.exists() else ()
                self._undisturbed[task.name] = Undisturbed(
                    folder, ended.seconds, tuple(names)
                )
            return self._undisturbed[task.name]

    def mended(self, task, folder):
        """Gives the command again; what is wrong then, as sentences."""
        ended = processes.run(folder, task.again(folder))
        if ended.problems():
            return [f"given again, {one}" for one in ended.problems()]
        wanted = self.undisturbed(task).folder
        return task.differences(folder, wanted) or compare.unreadable(folder)

    def discard(self, folder):
        """Deletes what a case without problems has left."""
        shutil.rmtree(folder, ignore_errors=True)
        for path in folder.parent.glob(f"{folder.name}.*"):
            path.unlink()
