"""What every model with an encoder and a decoder can do once trained."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen.arrays import Labels
from kgen.errors import InvalidArgument, invalid
from kgen.models import batches, outputs, paths
from kgen.models.code_sampler import CodeSampler
from kgen.models.outliers import OutlierScorer
from kgen.models.training import compiles
from kgen.models.updates import regularizers
from kgen.params import Integer, Optional, Options, checked
from kgen.tables import Table


class EncoderDecoder(CodeSampler, OutlierScorer):
    """Base of models that encode x and decode z, by one optimizer.

    A subclass gives its networks and likelihood to `_set_encoder_decoder`, and
    implements `_code`, what it decodes, and the scores of `OutlierScorer`.
    """

    @property
    def default_path(self) -> str:
        """The path of `interpolate` where none is given."""
        return "linear"

    def _set_encoder_decoder(
        self, log_names, likelihood, encoder, decoder, **networks
    ):
        """Sets networks that fit together, and the likelihood.

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

    @compiles()
    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str = "adam",
        *,
        steps_per_execution: int = 16,
        run_eagerly: bool = False,
        jit_compile: bool = False,
    ) -> None:
        """Configures training; the objective is the model's own.

        Args:
            optimizer: Keras optimizer or its name.
            steps_per_execution: Batches for each call into TensorFlow;
                callbacks are called once for so many batches. If `fit` is given a
                number of steps, its largest divisor up to this number is used.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.
        """
        self._compile(
            {},
            optimizer,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
        )

    @property
    def table(self) -> Table | None:
        """The table whose rows the examples are: the likelihood's."""
        return getattr(self.likelihood, "table", None)

    @property
    def serving_encoder(self) -> keras.Model:
        """The network that encodes outside of training."""
        return self.encoder

    @property
    def serving_decoder(self) -> keras.Model:
        """The network that decodes outside of training."""
        return self.decoder

    @property
    def decodes_z_alone(self) -> bool:
        """Whether z is all that `decode` needs, except for labels."""
        return len(self.decoder.inputs) == 1 + self.conditional

    # On tensors

    def _code(self, inputs, training=False):
        """Returns what is decoded: z, or a list that starts with z."""
        raise NotImplementedError

    def decoder_inputs(self, code: Any, inputs: Any) -> Any:
        """Adds the labels in `inputs` to a code, for a conditional model."""
        if not self.conditional:
            return code
        code = code if isinstance(code, list) else [code]
        return [*code, inputs[1]]

    def reconstruction_parameters(
        self, inputs: Any, training: bool = False
    ) -> tf.Tensor:
        """The likelihood's parameters for the code of x.

        Args:
            inputs: x, or `[x, labels]`.
            training: Whether the networks are being trained.

        Returns:
            Tensor of the shape of x.
        """
        decoder = self.decoder if training else self.serving_decoder
        code = self._code(inputs, training=training)
        return decoder(self.decoder_inputs(code, inputs), training=training)

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """The reconstruction: E[x|z] for the code z of x."""
        parameters = self.reconstruction_parameters(inputs, training)
        return self.likelihood.mean(parameters)

    def decoded(self, inputs: Any, number: Any = 0) -> tf.Tensor:
        """E[x|z] for a batch of the decoder's inputs.

        Args:
            inputs: z, or `[z, labels]`.
            number: Ignored: the number of the batch.
        """
        parameters = self.serving_decoder(inputs, training=False)
        return self.likelihood.mean(parameters)

    def _encode(self, inputs, number=0):
        code = self._code(inputs)
        z = code[0] if isinstance(code, list) else code
        return ops.cast(z, "float32")

    def _reconstruct(self, inputs, number=0):
        return self(inputs, training=False)

    def regularization(self) -> tf.Tensor | float:
        """The networks' own regularizers, as of their last call."""
        return regularizers(self.encoder, self.decoder, self.likelihood)

    # On arrays

    def encode(self, x: Any, batch_size: int = 1024) -> np.ndarray:
        """The codes of examples; of a Gaussian posterior, its mean.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n, latent_dim)`.
        """
        return self._apply(self._encode, x, batch_size)

    def decode(
        self,
        z: np.ndarray,
        labels: Labels | None = None,
        batch_size: int = 1024,
    ) -> Any:
        """E[x|z], of shape `(n, *input_shape)`; of a table a DataFrame.

        Args:
            z: Array of shape `(n, latent_dim)`.
            labels: Integer or `n` integers, or names out of `class_names`, for a
                conditional model.
            batch_size: How many are decoded at a time.

        Raises:
            InvalidArgument: If the shape is wrong, or the decoder takes more
                than z, as one with skip connections does.
        """
        owner = f"{type(self).__name__}.decode"
        z = self._checked_codes(z, owner)
        labels = self.labels_for(len(z), labels, "decode")
        examples = self._decode_all(z, labels, batch_size, owner)
        return self.rows_of(examples, labels)

    def _decode_all(self, z, labels, batch_size, owner):
        """E[x|z] of checked codes, as an array."""
        if not self.decodes_z_alone:
            raise InvalidArgument(
                f"`{owner}`: this decoder takes more than z, by its skip "
                "connections. Give the picture to `reconstruct` or `denoise`, "
                "or use networks without them."
            )
        inputs = z if labels is None else (z, labels)
        inputs = batches.of_arrays(inputs, batch_size, owner)
        return batches.apply(self, self.decoded, inputs)

    def reconstruct(self, x: Any, batch_size: int = 1024) -> Any:
        """Examples decoded from their codes, of the shape of x.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset; of
                a table, a DataFrame.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array; of a table, a DataFrame, in which categories are the most
            probable ones, and nothing is missing.
        """
        x = self.encoded(x, "reconstruct")
        is_pair = isinstance(x, (tuple, list))
        labels = x[1] if self.conditional and is_pair else None
        return self.rows_of(
            self._apply(self._reconstruct, x, batch_size), labels
        )

    @checked(steps=Integer(2), path=Optional(Options(paths.PATHS)))
    def interpolate(
        self,
        x1: Any,
        x2: Any,
        steps: int = 8,
        path: str | None = None,
        batch_size: int = 1024,
    ) -> np.ndarray:
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
            path: `"spherical"`, `"linear"`, or None: spherical where the prior is
                N(0, I), else linear.
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
        path = path or self.default_path
        if self.conditional and isinstance(x1, tf.data.Dataset):
            raise invalid("x1", owner, "arrays: [x1, labels]", "a dataset")
        x1, x2 = (self.encoded(x, "interpolate") for x in (x1, x2))
        z1, z2 = (self.encode(x, batch_size) for x in (x1, x2))
        if z1.shape != z2.shape:
            raise invalid("x2", owner, f"{len(z1)} pictures", f"{len(z2)}")
        z = paths.between(z1, z2, steps, path)
        given = x1[1] if self.conditional else None
        labels = self.labels_for(len(z1), given, "interpolate")
        labels = None if labels is None else np.repeat(labels, steps)
        images = self._decode_all(z, labels, batch_size, owner)
        return images.reshape(len(z1), steps, *self.input_shapes[0])

    # Files

    def endpoints(self) -> dict:
        """Returns `serving_default`, `encode` and `outlier_score`.

        And `decode`, if z is enough for it; and `sample`, if there is a prior.
        """
        z = tf.TensorSpec((None, self.latent_dim), "float32", "z")
        labels = self.label_specs()

        def serve(images, labels=None):
            return {"images": self(self.with_labels(images, labels))}

        def encode(images, labels=None):
            return {"z": self._encode(self.with_labels(images, labels))}

        def decode(z, labels=None):
            return {"images": self.decoded(self.with_labels(z, labels))}

        signatures: dict[str, tuple] = {
            "serving_default": (serve, [self.image_spec(), *labels]),
            "encode": (encode, [self.image_spec(), *labels]),
            **self._outlier_endpoint(),
        }
        if self.decodes_z_alone:
            signatures["decode"] = (decode, [z, *labels])
        return {**signatures, **self._sample_endpoint()}

    def lite_endpoints(self) -> dict:
        """Returns `encode`, `decode` and `reconstruct`."""
        signatures = self.endpoints()
        signatures["reconstruct"] = signatures["serving_default"]
        names = ("encode", "decode", "reconstruct")
        return {x: signatures[x] for x in names if x in signatures}


def check_fit(
    owner: str, encoder: keras.Model, decoder: keras.Model, code: list
) -> None:
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
