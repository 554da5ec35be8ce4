"""A server of SavedModels by TensorFlow's C library, as TF Serving has it.

A process with ctypes and NumPy alone: no kgen, no Keras, none of TensorFlow's
Python. It reads pickled requests from stdin and answers on stdout;
`tests.export.server` asks it.

    python c_api.py PATH/libtensorflow_cc.so.2
"""

import concurrent.futures
import contextlib
import ctypes
import pickle
import sys
import time

import numpy as np

DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    9: "int64",
    10: "bool",
}
NUMBERS = {name: number for number, name in DTYPES.items()}
STRING, STRING_SIZE = 7, 24


class Output(ctypes.Structure):
    """TF_Output: an operation and the number of its output."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Library:
    """TensorFlow's C API: `library.NewGraph()` is `TF_NewGraph()`.

    Integers that are pointers must be passed as `c_void_p`, or ctypes would cut
    them to 32 bits.
    """

    def __init__(self, path):
        self.functions = ctypes.CDLL(path)

    def __getattr__(self, name):
        function = getattr(self.functions, f"TF_{name}")

        def call(*arguments):
            return ctypes.c_void_p(function(*arguments))

        function.restype = ctypes.c_void_p
        return call

    def number(self, name, *arguments):
        """The result of a function that returns an integer."""
        return getattr(self, name)(*arguments).value or 0

    @contextlib.contextmanager
    def status(self):
        """A status for one call; raises the error that it holds."""
        status = self.NewStatus()
        yield status
        code = self.number("GetCode", status)
        text = ctypes.cast(self.Message(status), ctypes.c_char_p).value
        self.DeleteStatus(status)
        if code:
            raise RuntimeError(text.decode())

    def tensor(self, array):
        """A new TF_Tensor of an array of numbers or of bytes objects."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        is_string = array.dtype == object
        kind = STRING if is_string else NUMBERS[array.dtype.name]
        size = array.size * STRING_SIZE if is_string else array.nbytes
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self.AllocateTensor(
            kind, shape, array.ndim, ctypes.c_size_t(size)
        )
        if not is_string:
            ctypes.memmove(self.TensorData(tensor), array.ctypes, size)
            return tensor
        for place, text in zip(self.strings(tensor, array.size), array.flat):
            self.StringInit(place)
            self.StringCopy(place, text, ctypes.c_size_t(len(text)))
        return tensor

    def array(self, tensor):
        """The array of a TF_Tensor."""
        kind = self.number("TensorType", tensor)
        axes = range(self.number("NumDims", tensor))
        shape = [self.number("Dim", tensor, axis) for axis in axes]
        if kind != STRING:
            size = self.number("TensorByteSize", tensor)
            data = ctypes.string_at(self.TensorData(tensor), size)
            return np.frombuffer(data, DTYPES[kind]).reshape(shape)
        found = np.empty(shape, object)
        for at, place in enumerate(self.strings(tensor, found.size)):
            found.flat[at] = ctypes.string_at(
                self.StringGetDataPointer(place),
                self.number("StringGetSize", place),
            )
        return found

    def strings(self, tensor, count):
        """Pointers to a tensor's strings."""
        start = self.number("TensorData", tensor)
        return [
            ctypes.c_void_p(start + STRING_SIZE * at) for at in range(count)
        ]


class Session:
    """A loaded export."""

    def __init__(self, library, path):
        self.library, self.graph = library, library.NewGraph()
        with library.status() as status:
            self.session = library.LoadSessionFromSavedModel(
                library.NewSessionOptions(),
                None,
                path.encode(),
                (ctypes.c_char_p * 1)(b"serve"),
                1,
                self.graph,
                None,
                status,
            )

    def run(self, feeds, fetches):
        """The tensors `fetches` for `feeds`, a dictionary; by their names."""
        library = self.library
        given = [library.tensor(array) for array in feeds.values()]
        inputs = (ctypes.c_void_p * len(given))(*[x.value for x in given])
        results = (ctypes.c_void_p * len(fetches))()
        with library.status() as status:
            library.SessionRun(
                *(self.session, None),
                *(self.outputs(feeds), inputs, len(given)),
                *(self.outputs(fetches), results, len(fetches)),
                *(None, 0, None, status),
            )
        arrays = [library.array(ctypes.c_void_p(x)) for x in results]
        for tensor in [*inputs, *results]:
            library.DeleteTensor(ctypes.c_void_p(tensor))
        return arrays

    def outputs(self, names):
        """TF_Outputs of tensors' names, such as `sample_seed:0`."""
        parts = [name.split(":") for name in names]
        find = self.library.GraphOperationByName
        return (Output * len(parts))(
            *(
                Output(find(self.graph, operation.encode()), int(index))
                for operation, index in parts
            )
        )


def answers(sessions, library, key, path, calls, threads):
    """What a session answers, by as many threads; errors as they are."""

    def attempt(function, *arguments):
        try:
            return function(*arguments)
        except RuntimeError as error:
            return error

    if key not in sessions:
        sessions[key] = attempt(Session, library, path)
    session = sessions[key]
    if isinstance(session, RuntimeError):
        return [session] * len(calls)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda call: attempt(session.run, *call), calls))


def main():
    library, sessions = Library(sys.argv[1]), {}
    with contextlib.suppress(EOFError):
        while True:
            request = pickle.load(sys.stdin.buffer)
            start = time.perf_counter()
            found = answers(sessions, library, *request)
            seconds = time.perf_counter() - start
            banned = {"kgen", "keras", "tensorflow"} & set(sys.modules)
            pickle.dump((found, seconds, banned), sys.stdout.buffer)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
