"""The addresses of TF Serving, HTTP and gRPC, in front of the C library.

What the real server does with requests is in `rest`, and in its protocol buffers.
`check_server.py` asks the real one.
"""

import concurrent.futures
import contextlib
import http.server
import json
import pathlib
import threading

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.export import rest
from tests.export.server import Model


@contextlib.contextmanager
def serving(server, root):
    """Serves the newest version of each model in a folder.

    Args:
        server: A `tests.export.server.Server`.
        root: The folder, with NAME/VERSION in it.

    Yields:
        The ports of HTTP and of gRPC.
    """
    models = {}
    for base in pathlib.Path(root).iterdir():
        numbers = [int(x.name) for x in base.glob("[0-9]*")]
        if numbers:
            models[base.name] = Model(server, base / str(max(numbers)))
    lock = threading.Lock()  # the C library's process has one conversation

    def predict(name, signature, inputs):
        with lock:
            return models[name](signature or "serving_default", **inputs)

    web = http.server.ThreadingHTTPServer(
        ("localhost", 0), _handler(models, predict)
    )
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    calls = grpc.server(
        concurrent.futures.ThreadPoolExecutor(2),
        options=[("grpc.max_receive_message_length", -1)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Service(predict), calls
    )
    port = calls.add_insecure_port("localhost:0")
    calls.start()
    try:
        yield web.server_port, port
    finally:
        calls.stop(None)
        web.shutdown()
        thread.join()
        web.server_close()


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, predict):
        self.predict = predict

    def Predict(self, request, context):
        inputs = {
            name: tf.make_ndarray(x) for name, x in request.inputs.items()
        }
        spec = request.model_spec
        try:
            found = self.predict(spec.name, spec.signature_name, inputs)
        except RuntimeError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse()
        for name, array in found.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return response


def _handler(models, predict):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = {"version": "1", "state": "AVAILABLE"}
            self.answer(200, {"model_version_status": [status]})

        def do_POST(self):
            name, _, verb = self.path.removeprefix("/v1/models/").partition(":")
            size = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(size))
            assert verb == "predict"
            try:
                signature, inputs = rest.arrays_of(body, models[name])
                found = predict(name, signature, inputs)
            except RuntimeError as error:
                self.answer(400, {"error": str(error)})
            else:
                self.answer(200, rest.json_of(found, "instances" in body))

        def answer(self, code, value):
            content = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            """Says nothing."""

    return Handler
