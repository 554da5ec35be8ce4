"""Requests that a server sends to itself before it answers others'."""

import tensorflow as tf

# The name that TF Serving looks for.
FILE = "tf_serving_warmup_requests"


def write(path, requests):
    """Writes warm-up requests for TF Serving.

    Args:
        path: The file.
        requests: Pairs of a signature's name and a dictionary from its inputs'
            names to arrays; at most 1000.

    References:
        https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, arrays in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            for name, array in arrays.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(record.SerializeToString())
