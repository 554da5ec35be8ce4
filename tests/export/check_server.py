"""Asks a real TF Serving, in Docker, what the tests ask the C library.

    python tests/export/check_server.py saved_models/vae

starts `tensorflow/serving` with that model, waits for it, and sends
`request.json` by REST and the warm-up file's requests by gRPC. The answers must be
those of TensorFlow's Python to 1e-5, and wrong requests must get errors. With
`--http` and `--grpc`, addresses, it asks a server that runs already.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

IMAGE = "tensorflow/serving"
PORTS = {"http": 8501, "grpc": 8500}
SECONDS = 120
# Answers may be larger than gRPC's 4 MiB.
UNLIMITED = [("grpc.max_receive_message_length", -1)]


@contextlib.contextmanager
def docker(base):
    """Runs the server until all is asked."""
    if not shutil.which("docker"):
        raise SystemExit("There is no docker here: pass --http and --grpc.")
    publish = [f"{port}:{port}" for port in PORTS.values()]
    started = subprocess.run(
        [
            *("docker", "run", "--rm", "-d"),
            *(word for port in publish for word in ("-p", port)),
            "--mount",
            f"type=bind,source={base.resolve()},target=/models/{base.name},readonly",
            *("-e", f"MODEL_NAME={base.name}", IMAGE),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    container = started.stdout.strip()
    try:
        yield
    finally:
        subprocess.run(["docker", "stop", container], check=True)


def get(address, body=None):
    """The JSON at an address, and the status; with a body, by POST."""
    data = None if body is None else body.encode()
    try:
        with urllib.request.urlopen(address, data) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_for(address):
    """Until the server says that the model can be asked."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _, found = get(address)
            states = found.get("model_version_status", [{}])
            if states[0].get("state") == "AVAILABLE":
                return
        time.sleep(0.5)
    raise SystemExit(f"No answer from {address} in {SECONDS} s.")


def newest(base):
    """The version that a server serves."""
    numbers = [int(x.name) for x in base.iterdir() if x.name.isdigit()]
    return base / str(max(numbers))


def check_rest(path, address):
    """`request.json`, right and wrong."""
    body = (path / "assets.extra" / "request.json").read_text()
    status, found = get(f"{address}:predict", body)
    if status != 200 or "outputs" not in found:
        raise SystemExit(f"REST: {status} {found}")
    wrong = json.dumps({"inputs": {"no_such_input": [1]}})
    status, found = get(f"{address}:predict", wrong)
    if status == 200 or "error" not in found:
        raise SystemExit(f"REST, a wrong request: {status} {found}")


def check_grpc(path, name, address):
    """The warm-up file's requests, and one for a billion samples."""
    loaded = tf.saved_model.load(str(path)).signatures
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    count = 0
    with grpc.insecure_channel(address, UNLIMITED) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            request = log.predict_log.request
            request.model_spec.name = name
            inputs = {
                key: tf.constant(tf.make_ndarray(value))
                for key, value in request.inputs.items()
            }
            signature = request.model_spec.signature_name
            expected = loaded[signature](**inputs)
            outputs = stub.Predict(request, timeout=60).outputs
            for key, value in expected.items():
                compare(tf.make_ndarray(outputs[key]), value.numpy())
            count += 1
            if "num_samples" in inputs:
                check_a_billion(stub, request)
    return count


def compare(found, expected):
    if expected.dtype == object:  # files
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def check_a_billion(stub, request):
    request.inputs["num_samples"].CopyFrom(tf.make_tensor_proto(10**9))
    try:
        stub.Predict(request, timeout=60)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            return
        raise
    raise SystemExit("gRPC: a billion samples got no error.")


def check(base, http_address, grpc_address):
    """Asks a server all of it; returns the number of gRPC requests.

    Args:
        base: The model's directory, with its versions.
        http_address: `HOST:PORT`.
        grpc_address: `HOST:PORT`.
    """
    base = pathlib.Path(base)
    address = f"http://{http_address}/v1/models/{base.name}"
    wait_for(address)
    path = newest(base)
    check_rest(path, address)
    return check_grpc(path, base.name, grpc_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("base", type=pathlib.Path, help="saved_models/NAME")
    parser.add_argument("--http", help="HOST:PORT of a server that runs")
    parser.add_argument("--grpc", help="HOST:PORT of a server that runs")
    arguments = parser.parse_args()
    addresses = {
        name: getattr(arguments, name) or f"localhost:{port}"
        for name, port in PORTS.items()
    }
    running = arguments.http or arguments.grpc
    with contextlib.nullcontext() if running else docker(arguments.base):
        count = check(arguments.base, *addresses.values())
    sys.stdout.write(f"All right: request.json and {count} gRPC requests.\n")


if __name__ == "__main__":
    main()
