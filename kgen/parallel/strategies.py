"""Training by several devices or machines: strategies, and which process writes.

TensorFlow is imported late here, so that a user's mistake is reported at once.
"""

import contextlib
import faulthandler
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from kgen.errors import InvalidArgument, WorkerLost, invalid, say
from kgen.names import STRATEGIES
from kgen.parallel import meeting
from kgen.params import Integer

if TYPE_CHECKING:
    import tensorflow as tf

Value = TypeVar("Value")

_OWNER = "kgen train"
_ADDRESS = re.compile(r"^[^\s:/]+:\d+$|^\[[0-9a-fA-F:.]+\]:\d+$")
_EXAMPLE = (
    """TF_CONFIG='{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, """
    """"task": {"type": "worker", "index": 0}}'"""
)

# Seconds. Once all workers have started, TensorFlow takes less to connect them.
_START_TIMEOUT = 60
_START_NOTICE = (
    "all workers are here, and TensorFlow starts. If one of them dies now, the "
    f"others end after {_START_TIMEOUT} seconds: start all again; with --resume, if "
    "there is a run."
)


def check(strategy_name: str | None, devices: int | None = None) -> None:
    """Looks at what was asked for, before TensorFlow is there.

    Args:
        strategy_name: `"mirrored"`, `"multi_worker"` or None.
        devices: How many devices, for `"mirrored"`; None for all.

    Raises:
        InvalidArgument: If they don't go together, or the environment's
            TF_CONFIG says nothing that a worker could use.
    """
    if strategy_name is not None and strategy_name not in STRATEGIES:
        expected = " or ".join(STRATEGIES)
        raise invalid("strategy", _OWNER, expected, strategy_name)
    if devices is not None:
        if strategy_name != "mirrored":
            raise invalid(
                "devices",
                _OWNER,
                "none but with --strategy mirrored; a worker takes all of its "
                "GPUs (CUDA_VISIBLE_DEVICES says which it has)",
                devices,
            )
        Integer(1).check("devices", _OWNER, devices)
    if strategy_name == "multi_worker":
        _check_cluster()


def _check_cluster():
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise InvalidArgument(
            "--strategy multi_worker: the environment has no TF_CONFIG, which "
            f"names all workers and this one's index, such as {_EXAMPLE}"
        )
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, index = task["type"], int(str(task["index"]))
        counts = {name: len(hosts) for name, hosts in cluster.items()}
        hosts = [host for hosts in cluster.values() for host in hosts]
        fine = all(
            _ADDRESS.match(host) and 0 < meeting.port_of(host) < 2**16
            for host in hosts
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidArgument(
            f"TF_CONFIG can't be read ({type(error).__name__}: {error}). "
            f"Expected what {_EXAMPLE} has. Received: {text}"
        ) from error
    wrong = None
    if not set(cluster) <= {"chief", "worker"} or counts.get("chief", 1) != 1:
        wrong = "a cluster of `worker`s, with one `chief` or none"
    elif not fine or len(set(hosts)) < len(hosts):
        wrong = "an address HOST:PORT for each, no two alike"
    elif not 0 <= index < counts.get(kind, 0):
        wrong = "a task that is one of the cluster's, by its type and index"
    if wrong:
        raise InvalidArgument(
            f"TF_CONFIG: expected {wrong}, such as {_EXAMPLE}. Received: {text}"
        )


def _cluster():
    """The addresses of all workers, the chief's first; this worker's index."""
    config = json.loads(os.environ["TF_CONFIG"])
    cluster, task = config["cluster"], config["task"]
    chiefs = cluster.get("chief", [])
    before = len(chiefs) if task["type"] == "worker" else 0
    return chiefs + cluster.get("worker", []), before + int(task["index"])


def is_chief_by_tf_config() -> bool:
    """Whether TF_CONFIG makes this process the one that writes."""
    return _cluster()[1] == 0


def meet(on_missing: Callable[[list[str], bool], None]) -> None:
    """Returns once all workers that TF_CONFIG names are here.

    Args:
        on_missing: Function that gets the addresses of those that are missing,
            some times a second, and whether this worker can't reach the chief;
            what it raises ends the waiting.

    Raises:
        InvalidArgument: If this worker's port can't be listened on, or the
            chief's TF_CONFIG names other workers.
    """
    hosts, index = _cluster()
    try:
        meeting.meet(
            hosts, index, lambda absent: on_missing(absent, hosts[0] in absent)
        )
    except meeting.Mismatch as error:
        raise InvalidArgument(
            f"TF_CONFIG: expected the chief's cluster, {error}. Received: "
            f"{', '.join(hosts)}"
        ) from error
    except meeting.PortTaken as error:
        port = meeting.port_of(hosts[index])
        raise InvalidArgument(
            f"TF_CONFIG: this worker can't listen on port {port} ({error}). End "
            "what uses it, or name another one in the TF_CONFIG of all workers."
        ) from error


def create(
    strategy_name: str | None, devices: int | None = None
) -> "tf.distribute.Strategy":
    """Makes a strategy; nothing else may have run in TensorFlow before.

    Several workers should `meet` first.

    Args:
        strategy_name: As in `check`.
        devices: As in `check`. Where there are no GPUs, the processor counts as
            this many devices.

    Returns:
        A `tf.distribute.Strategy`; for None the one there is.

    Raises:
        InvalidArgument: If there are fewer GPUs, or none.
        WorkerLost: If workers can't start together.
    """
    import tensorflow as tf

    if strategy_name is None:
        return tf.distribute.get_strategy()
    if strategy_name == "multi_worker":
        return _multi_worker_strategy()
    gpus = tf.config.list_physical_devices("GPU")
    if devices and gpus and devices > len(gpus):
        raise invalid("devices", _OWNER, f"{len(gpus)} at most", devices)
    if gpus:
        names = [f"GPU:{number}" for number in range(devices or len(gpus))]
        return tf.distribute.MirroredStrategy(names)
    if not devices:
        raise InvalidArgument(
            "--strategy mirrored: TensorFlow sees no GPU here. To try it out on "
            "the processor, pass --devices 2."
        )
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * devices,
    )
    names = [f"CPU:{number}" for number in range(devices)]
    return tf.distribute.MirroredStrategy(names)


def _multi_worker_strategy():
    import tensorflow as tf

    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise WorkerLost(
            "TensorFlow can't start with the other workers. Start all again. "
            f"({str(error).splitlines()[0]})"
        ) from error
    # TensorFlow's own handler takes SIGTERM as a notice, after which it goes on.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return strategy


@contextlib.contextmanager
def end_if_start_hangs(strategy_name: str | None) -> Iterator[None]:
    """Within it, workers start together, or this process ends with status 1.

    If another worker has died since they met, TensorFlow waits for it, and no Python
    code runs meanwhile, neither signal handlers nor other threads. Only a thread of
    faulthandler can still end the process. It can't give a reason, so that a notice
    is printed before. Ctrl-C ends the process without Python, too.

    Args:
        strategy_name: As in `check`.
    """
    if strategy_name != "multi_worker":
        yield
        return
    say(_START_NOTICE)
    handler = signal.getsignal(signal.SIGINT)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        try:
            faulthandler.dump_traceback_later(
                _START_TIMEOUT, exit=True, file=nowhere
            )
            if callable(handler):
                signal.signal(signal.SIGINT, signal.SIG_DFL)
            yield
        finally:
            if callable(handler):
                signal.signal(signal.SIGINT, handler)
            faulthandler.cancel_dump_traceback_later()


def describe(strategy: "tf.distribute.Strategy") -> dict[str, Any]:
    """What a run's settings say of a strategy.

    Args:
        strategy: A `tf.distribute.Strategy`.

    Returns:
        Dictionary of `strategy`, as in `check`, and `devices`, how many
        replicas there are.
    """
    import tensorflow as tf

    name = None
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        name = "multi_worker"
    elif isinstance(strategy, tf.distribute.MirroredStrategy):
        name = "mirrored"
    return {"strategy": name, "devices": strategy.num_replicas_in_sync}


def _resolver(strategy):
    """The cluster's resolver where there are several workers, else None."""
    resolver = strategy.cluster_resolver
    is_cluster = resolver is not None and resolver.cluster_spec().as_dict()
    return resolver if is_cluster else None


def is_chief(strategy: "tf.distribute.Strategy") -> bool:
    """Whether this process is the one that writes.

    Args:
        strategy: A `tf.distribute.Strategy`.
    """
    resolver = _resolver(strategy)
    if resolver is None:
        return True
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    kind = "chief" if has_chief else "worker"
    return (resolver.task_type, resolver.task_id) == (kind, 0)


@contextlib.contextmanager
def explain_lost_workers(strategy: "tf.distribute.Strategy") -> Iterator[None]:
    """Within it, the errors of a worker that has gone say what to do.

    Args:
        strategy: A `tf.distribute.Strategy`.

    Raises:
        WorkerLost: In place of what TensorFlow's collectives raise.
    """
    import tensorflow as tf

    lost = (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.FailedPreconditionError,
        tf.errors.InternalError,
        tf.errors.UnavailableError,
    )
    try:
        yield
    except lost as error:
        if _resolver(strategy) is None:
            raise
        raise WorkerLost(
            "another worker has gone, or can't be reached. Start all workers "
            "again, with --resume: they go on from the last checkpoint. "
            f"({str(error).splitlines()[0]})"
        ) from error


def by_chief(
    strategy: "tf.distribute.Strategy", function: Callable[[], Value]
) -> Value:
    """What a function returns on the chief, on all workers.

    If it fails on the chief, it fails on every worker, so that none waits for
    one that has failed. All wait until it is done.

    Args:
        strategy: A `tf.distribute.Strategy`.
        function: Without arguments; what it returns JSON can hold.

    Raises:
        InvalidArgument: On other workers, if the chief was given what it can't
            use: an InvalidArgument or OSError.
        WorkerLost: On other workers, if the chief has failed otherwise.
    """
    if _resolver(strategy) is None:
        return function()
    answer, chief_error = {}, None
    if is_chief(strategy):
        try:
            answer = {"value": function()}
        except Exception as error:
            is_user_error = isinstance(error, (InvalidArgument, OSError))
            answer = {"error": str(error), "is_user_error": is_user_error}
            chief_error = error
    answer = json.loads(_broadcast(strategy, json.dumps(answer).encode()))
    if chief_error:
        raise chief_error
    if "error" in answer:
        kind = InvalidArgument if answer["is_user_error"] else WorkerLost
        raise kind(f"the chief says: {answer['error']}")
    return answer["value"]


def send(
    strategy: "tf.distribute.Strategy", read: Callable[[], bytes]
) -> bytes | None:
    """Gives the chief's bytes to the other workers.

    Args:
        strategy: A `tf.distribute.Strategy`.
        read: Function without arguments that gives them, on the chief.

    Returns:
        The bytes; None on the chief, who has them.
    """
    if _resolver(strategy) is None:
        return None
    if not is_chief(strategy):
        return _broadcast(strategy, b"")
    _broadcast(strategy, read())
    return None


def _broadcast(strategy, data):
    """The chief's `data`, on all workers."""
    import numpy as np

    codes = np.frombuffer(data + b"\0" * (-len(data) % 4), "int32")
    size, length = _broadcast_ints(strategy, np.array([len(codes), len(data)]))
    if not is_chief(strategy):
        codes = np.zeros(size, "int32")  # of the chief's size
    return _broadcast_ints(strategy, codes).astype("int32").tobytes()[:length]


def _broadcast_ints(strategy, values):
    """The chief's integer array, on all workers: it has the first replica."""
    import tensorflow as tf

    values = tf.constant(values, "int32")

    def add():
        context = tf.distribute.get_replica_context()
        first = tf.equal(context.replica_id_in_sync_group, 0)
        masked = values * tf.cast(first, "int32")
        return context.all_reduce(tf.distribute.ReduceOp.SUM, masked)

    result = tf.function(lambda: strategy.run(add), autograph=False)()
    return strategy.experimental_local_results(result)[0].numpy()
