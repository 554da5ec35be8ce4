"""Asks a process that has TensorFlow's C library alone (`c_api.py`)."""

import itertools
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

SCRIPT = pathlib.Path(__file__).with_name("c_api.py")
LIBRARY = pathlib.Path(tf.__file__).with_name("libtensorflow_cc.so.2")


class Server:
    """The process; exports are loaded when they are first asked."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-I", SCRIPT, LIBRARY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, key, path, calls, threads=1):
        request = (key, str(path), calls, threads)
        pickle.dump(request, self.process.stdin)
        self.process.stdin.flush()
        found, seconds, banned = pickle.load(self.process.stdout)
        assert not banned
        return found, seconds


class Model:
    """An export, loaded by a server; each object is a load of its own.

    Args:
        server: A `Server`.
        path: The export's directory.
    """

    loads = itertools.count()

    def __init__(self, server, path):
        self.server, self.path = server, pathlib.Path(path).resolve()
        self.key = next(self.loads)
        self.signatures = signatures_of(path)

    def __call__(self, signature, **inputs):
        """The signature's outputs by their names; raises what it says."""
        (found,) = self.at_once([(signature, inputs)], threads=1)
        if isinstance(found, RuntimeError):
            raise found
        return found

    def at_once(self, requests, threads):
        """The outputs, or errors, of several requests in as many threads."""
        calls = [self.call(*request) for request in requests]
        found, _ = self.server.ask(self.key, self.path, calls, threads)
        return [
            each
            if isinstance(each, RuntimeError)
            else dict(zip(self.signatures[signature].outputs, each))
            for (signature, _), each in zip(requests, found)
        ]

    def seconds(self, request, count):
        """The time of a request, measured in the server, mean of `count`."""
        calls = [self.call(*request)] * count
        _, seconds = self.server.ask(self.key, self.path, calls, threads=1)
        return seconds / count

    def call(self, signature, inputs):
        """Feeds and fetches, by the names of tensors in the graph."""
        has = self.signatures[signature]
        feeds = {
            has.inputs[name].name: as_array(value)
            for name, value in inputs.items()
        }
        return feeds, [has.outputs[name].name for name in has.outputs]


def as_array(value):
    """An array, of bytes objects where these are bytes."""
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind == "S" else array


def signatures_of(path):
    """The signatures of the graph that is tagged `serve`."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(pathlib.Path(path, "saved_model.pb").read_bytes())
    (graph,) = (
        each for each in saved.meta_graphs if "serve" in each.meta_info_def.tags
    )
    return {
        name: signature
        for name, signature in graph.signature_def.items()
        if name != "__saved_model_init_op"
    }
