"""What every model with an encoder and a decoder can do once trained."""

import numpy as np
import tensorflow as tf
from keras import ops

from kgen import arrays
from kgen.errors import InvalidArgument, check_int, invalid
from kgen.models import faults, outputs, paths
from kgen.models.base import (
    GenerativeModel,
    Player,
    in_scope,
    total,
    update,
)
from kgen.parallel import replicas


class EncoderDecoder(GenerativeModel):
    """Base of models that encode x and decode z, by one optimizer.

    A subclass gives its networks and likelihood to `_set_encoder_decoder`, and
    implements `_objective`, the named parts of its loss, and `_code`, what it
    decodes. The public methods take arrays and return arrays.
    """

    # The way of `interpolate` where none is given.
    _own_path = "linear"

    def _set_encoder_decoder(
        self, log_names, likelihood, encoder, decoder, **networks
    ):
        """Keeps networks that fit together, and the likelihood.

        Args:
            log_names: Names of the logs, in order.
            likelihood: A `Likelihood`.
            encoder: Built `keras.Model`, whose first output tells the size of
                z.
            decoder: Built `keras.Model`.
            **networks: More of them.
        """
        self.likelihood = likelihood
        self._set_networks(
            log_names,
            likelihood.support,
            encoder=encoder,
            decoder=decoder,
            **networks,
        )
        support = outputs.check_decoder(
            type(self).__name__, decoder, likelihood
        )
        self._set_shape(self.input_shapes[0], support)
        self.latent_dim = encoder.outputs[0].shape[-1]

    @in_scope
    def compile(
        self,
        optimizer="adam",
        *,
        steps_per_execution=16,
        run_eagerly=False,
        jit_compile=False,
    ):
        """Says how to train; the objective is the model's own.

        Args:
            optimizer: Keras optimizer or its name.
            steps_per_execution: Batches for each call into TensorFlow;
                callbacks see every that many batches. Where a number of steps
                is asked for, its largest divisor up to this number.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.
        """
        arguments = {
            "steps_per_execution": steps_per_execution,
            "run_eagerly": run_eagerly,
            "jit_compile": jit_compile,
        }
        self._compile(arguments, optimizer, **arguments)

    @replicas.step
    @faults.step
    def train_step(self, data):
        inputs, x = self.unpack(data)
        parts = update(
            lambda: self._objective(inputs, x, training=True),
            Player(self.optimizer, self.trainable_variables),
        )
        self.log_means.update_state(parts, replicas.examples(x))
        return self.log_means.result()

    @replicas.step
    def test_step(self, data):
        inputs, x = self.unpack(data, values=True)
        parts = self._objective(inputs, x, training=False)
        self.log_means.update_state(parts, replicas.examples(x))
        return self.log_means.result()

    def _objective(self, inputs, x, training):
        """The parts of the loss by their logs' names, `"loss"` their sum."""
        raise NotImplementedError

    def _code(self, inputs, training=False):
        """What is decoded to reconstruct: z, or a list that starts with z."""
        raise NotImplementedError

    def _regularization(self):
        """The networks' own regularizers, as of their last call."""
        return total(
            self.encoder.losses + self.decoder.losses + self.likelihood.losses
        )

    def call(self, inputs, training=False):
        """The reconstruction: E[x|z] for the code z of x."""
        return self.likelihood.mean(self._parameters(inputs, training))

    def _parameters(self, inputs, training):
        """The likelihood's parameters for the code of x."""
        code = self._condition(self._code(inputs, training=training), inputs)
        return self._parameters_of(code, training)

    def _parameters_of(self, code, training=False):
        """The likelihood's parameters for the decoder's inputs."""
        return self.decoder(code, training=training)

    def encode(self, x, batch_size=1024):
        """The codes of examples; of a Gaussian posterior, its mean.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n, latent_dim)`.
        """
        batches = self._batches_of(x, batch_size, self.encodes_any_range)
        return self._in_batches(self._encode, batches)

    def decode(self, z, labels=None, batch_size=1024):
        """E[x|z], of shape `(n, *input_shape)`.

        Args:
            z: Array of shape `(n, latent_dim)`.
            labels: Integer or `n` integers, for a conditional model.
            batch_size: How many are decoded at a time.

        Raises:
            InvalidArgument: If the shape is wrong, or the decoder takes more
                than z, as one with skip connections does.
        """
        owner = f"{type(self).__name__}.decode"
        if not self.decodes_z_alone:
            raise InvalidArgument(
                f"`{owner}`: this decoder takes more than z, by its skip "
                "connections. Give the picture to `reconstruct` or `denoise`, "
                "or use networks without them."
            )
        z = np.asarray(z)
        if np.issubdtype(z.dtype, np.integer):
            z = z.astype("float32")
        arrays.check_array(z, (self.latent_dim,), None, owner, "z")
        z = z.astype("float32")
        labels = self._labels_for(len(z), labels, "decode")
        inputs = z if labels is None else (z, labels)
        batch_size = check_int("batch_size", owner, batch_size)
        batches = tf.data.Dataset.from_tensor_slices(inputs).batch(batch_size)
        return self._in_batches(self._decode, batches)

    def reconstruct(self, x, batch_size=1024):
        """Pictures decoded from their codes, of the shape of x."""
        batches = self._batches_of(x, batch_size)
        return self._in_batches(self._reconstruct, batches)

    def interpolate(self, x1, x2, steps=8, path=None, batch_size=1024):
        """Pictures on the way from one to another, through the latent space.

        The codes are those of `encode`. On a linear path they pass nearer to 0
        than draws from a Gaussian prior do in many dimensions. On the spherical
        one the direction follows the arc from z1 to z2 at a constant speed, and
        the distance from 0 changes linearly; for codes of one norm it is
        `sin((1 - t) a) / sin(a) z1 + sin(t a) / sin(a) z2` with the angle a
        between the two.

        Args:
            x1: Array of shape `(n, *input_shape)`, or `[x1, labels]`.
            x2: Of the same shape. What lies between has the labels of x1.
            steps: How many pictures, the two ends among them; 2 or more.
            path: `"spherical"`, `"linear"`, or None: spherical where there is a
                Gaussian prior, else linear.
            batch_size: How many are worked on at a time.

        Returns:
            Array of shape `(n, steps, *input_shape)`.

        Raises:
            InvalidArgument: If shapes or a value can't be used, or the decoder
                takes more than z.

        References:
            White (2016), arXiv 1609.04468, section 2.1.
        """
        owner = f"{type(self).__name__}.interpolate"
        path = path or self._own_path
        paths.check_way(owner, steps, path)
        if self.conditional and isinstance(x1, tf.data.Dataset):
            raise invalid("x1", owner, "arrays: [x1, labels]", "a dataset")
        z1, z2 = (self.encode(x, batch_size) for x in (x1, x2))
        if z1.shape != z2.shape:
            raise invalid("x2", owner, f"{len(z1)} pictures", f"{len(z2)}")
        z = paths.between(z1, z2, steps, path)
        labels = None
        if self.conditional:
            labels = np.repeat(np.asarray(x1[1]), steps)
        images = self.decode(z, labels, batch_size)
        return images.reshape(len(z1), steps, *self.input_shapes[0])

    # The same, on tensors.

    def _encode(self, inputs, number=0):
        code = self._code(inputs)
        z = code[0] if isinstance(code, list) else code
        return ops.cast(z, "float32")

    def _decode(self, inputs, number=0):
        return self.likelihood.mean(self._parameters_of(inputs))

    def _reconstruct(self, inputs, number=0):
        return self(inputs, training=False)

    @property
    def decodes_z_alone(self):
        """Whether z is all that `decode` needs, but for labels."""
        return len(self.decoder.inputs) == 1 + self.conditional

    def _condition(self, code, inputs):
        """The decoder's inputs: the code, and the labels out of `inputs`."""
        if not self.conditional:
            return code
        code = code if isinstance(code, list) else [code]
        return [*code, inputs[1]]

    def endpoints(self):
        """`serving_default`, `encode` and, if z is enough, `decode`."""
        z = tf.TensorSpec((None, self.latent_dim), "float32", "z")
        labels = self.label_specs()

        def serve(images, labels=None):
            return {"images": self(self.with_labels(images, labels))}

        def encode(images, labels=None):
            return {"z": self._encode(self.with_labels(images, labels))}

        def decode(z, labels=None):
            return {"images": self._decode(self.with_labels(z, labels))}

        found = {
            "serving_default": (serve, [self.image_spec(), *labels]),
            "encode": (encode, [self.image_spec(), *labels]),
        }
        if self.decodes_z_alone:
            found["decode"] = (decode, [z, *labels])
        return found

    def lite_endpoints(self):
        """`encode`, `decode` and `reconstruct`."""
        found = self.endpoints()
        names = {
            "encode": "encode",
            "decode": "decode",
            "serving_default": "reconstruct",
        }
        return {names[name]: found[name] for name in names if name in found}


def check_fit(owner, encoder, decoder, code):
    """Raises unless `decoder` leads from the encoder's code back to x.

    Args:
        owner: Name of the model, for the message.
        encoder: The encoder.
        decoder: The decoder.
        code: The encoder's outputs that the decoder takes.
    """
    x = tuple(encoder.inputs[0].shape[1:])
    have = [tuple(tensor.shape[1:]) for tensor in decoder.inputs]
    want = [tuple(tensor.shape[1:]) for tensor in code]
    labels = [tuple(tensor.shape[1:]) for tensor in encoder.inputs[1:]]
    if have != want + labels:
        raise invalid(
            "decoder",
            owner,
            f"inputs of the shapes {want + labels}: the encoder's code, and "
            "labels in both networks or in none",
            f"inputs of the shapes {have}",
        )
    if tuple(decoder.outputs[0].shape[1:]) != x:
        raise invalid(
            "decoder",
            owner,
            f"an output of the encoder's input's shape {x}",
            f"an output of shape {tuple(decoder.outputs[0].shape[1:])}",
        )
    if len(code[0].shape) != 2:
        raise invalid(
            "encoder",
            owner,
            "a code of shape (batch, latent_dim) as the first output",
            f"shape {tuple(code[0].shape)}",
        )
