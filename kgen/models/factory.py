"""`create_model`: puts networks and a model together."""

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import keras

from kgen import densities, priors, registry
from kgen.errors import check_keywords, invalid, say_once
from kgen.layers import ColumnsOutput
from kgen.losses import Columns, likelihoods
from kgen.models.autoencoder import Reconstructing
from kgen.models.base import GenerativeModel
from kgen.models.bayes_classifier import BayesClassifier
from kgen.models.labelled import NAMES
from kgen.models.latent import LatentGaussianModel
from kgen.models.saving import (  # noqa: F401
    MEMBERS,
    DamagedFile,
    UnknownClass,
    load_model,
)
from kgen.models.vae_density import VAEDensity
from kgen.networks import common, convolutional, dense, resnet, sequences, unet
from kgen.params import Instance, Options
from kgen.tables import Conditions, Table

if TYPE_CHECKING:  # the registry has the paths of the models' classes
    from kgen.models import GAN, VAE, VAEGAN, Autoencoder, DenoisingAutoencoder

NETWORKS = {
    "dense": dense,
    "conv": convolutional,
    "resnet": resnet,
    "unet": unet,
}

# What the factory itself gives to builders and models.
_GIVEN = {
    "gaussian",
    "context_dim",
    "fitted_prior",
    "num_classes",
    "latent_dim",
    "input_shape",
    "table",
}
# Numbers that the encoder gives to a flow behind its Gaussian.
_CONTEXT_DIM = 32
# Options that matter in the training of a VAE, and not where it is the density of a
# classifier.
_OF_VAE_ALONE = {"kl_weight", "free_bits", "divergence", "batch_normalization"}


def builders_of(
    cls: type[GenerativeModel],
    network: str,
    input_shape: Sequence[int] | None = None,
) -> list[Callable[..., keras.Model]]:
    """The functions that build a model's networks, in its arguments' order.

    Args:
        cls: The model's class.
        network: A network family's name.
        input_shape: Shape of one example; None for a picture's. Those of sequences
            have the same options.
    """
    is_sequence = network == "conv" and len(input_shape or ()) == 2
    family = vars(sequences if is_sequence else NETWORKS[network])
    return [
        family[parameter]
        for parameter in inspect.signature(cls).parameters
        if parameter in family
    ]


@overload
def create_model(
    name: Literal["autoencoder"],
    *,
    input_shape: Sequence[int] | None = None,
    **options: Any,
) -> "Autoencoder": ...
@overload
def create_model(
    name: Literal["bayes_classifier"],
    *,
    input_shape: Sequence[int] | None = None,
    **options: Any,
) -> BayesClassifier: ...
@overload
def create_model(
    name: Literal["denoising_autoencoder"],
    *,
    input_shape: Sequence[int],
    **options: Any,
) -> "DenoisingAutoencoder": ...
@overload
def create_model(
    name: Literal["gan"],
    *,
    input_shape: Sequence[int] | None = None,
    **options: Any,
) -> "GAN": ...
@overload
def create_model(
    name: Literal["vae"],
    *,
    input_shape: Sequence[int] | None = None,
    **options: Any,
) -> "VAE": ...
@overload
def create_model(
    name: Literal["vaegan"],
    *,
    input_shape: Sequence[int] | None = None,
    **options: Any,
) -> "VAEGAN": ...
@overload
def create_model(
    name: str, *, input_shape: Sequence[int] | None = None, **options: Any
) -> GenerativeModel: ...
def create_model(
    name: str,
    *,
    input_shape: Sequence[int] | None = None,
    network: str | None = None,
    latent_dim: int = 8,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
    table: Table | None = None,
    **options: Any,
) -> GenerativeModel:
    """Builds a model with networks of kgen's own.

    Where the last output is the picture itself, as a generator's is, or a
    decoder's under a Gaussian likelihood, it ends in a sigmoid, so that it
    stays in [0, 1]; `output_activation` changes that.

    Args:
        name: `"autoencoder"`, `"bayes_classifier"`,
            `"denoising_autoencoder"`, `"gan"`, `"vae"` or `"vaegan"`.
        input_shape: Shape of one example, without the batch. A table has one of
            its own.
        network: `"conv"` (pictures of any size and sequences of any length; dense
            for vectors), `"resnet"` (pictures, of residual blocks: slower and
            better at large ones), `"dense"` (any shape), or `"unet"` (convolutional
            with skip connections, to denoise). None: dense for a table, else
            convolutional.
        latent_dim: Size of z, a positive integer.
        num_classes: If given, the model is conditional: its networks take
            labels from 0 to `num_classes - 1`. A classifier needs it. Of a table
            with a target, it is the number of its classes.
        class_names: The names of the classes, in the order of their labels, which
            make a model conditional, too: `model.sample(2, labels="cat")`. Those of
            a source are `kgen.data.open_source(source).class_names`.
        table: A `kgen.data.Table` whose rows are the examples; the likelihood is
            `"columns"`. None for other examples.
        **options: Arguments of the networks' builders (such as `hidden_units`,
            `filters`, `activation`) and of the model's class (such as
            `likelihood`, `prior`, `kl_weight`). A classifier's are `prior`, that
            of the classes, `density` (`"vae"`, the default, or a name that
            `kgen.densities.get` takes, whose networks, if it has any, and
            arguments are among the options; of a table `"vae"` or `"columns"`,
            naive Bayes), `latent_prior`, the p(z) of its
            VAE, and `seed`.

    Returns:
        A model, not yet compiled.

    Raises:
        InvalidArgument: If a name is unknown (the nearest one is offered), or
            a value is out of range.

    Example:

        vae = kgen.create_model("vae", input_shape=(8, 8, 1), latent_dim=8)

        # By all GPUs of this machine; so with `load_model`.
        with tf.distribute.MirroredStrategy().scope():
            vae = kgen.create_model("vae", input_shape=(8, 8, 1))
        vae.compile()
        vae.fit(train)
    """
    asked, network = network, family_of(network, input_shape, table)
    known = options_of(name, network)
    own = ("input_shape", "network", "latent_dim", "num_classes", "class_names")
    check_keywords("create_model", [*own, "table", *known], options)
    if class_names is not None:
        class_names = NAMES.check("class_names", "create_model", class_names)
        num_classes = num_classes or len(class_names) or None
    cls = registry.MODELS[name].model_class
    if table is not None:
        input_shape, num_classes = _of_table(
            table, input_shape, network, num_classes
        )
        options = _with_table(cls, table, options, known)
    elif input_shape is None:
        raise invalid(
            "input_shape", "create_model", "a shape, or a table", None
        )
    input_shape = common.check_shape(input_shape)
    if issubclass(cls, BayesClassifier):
        model = _classifier(
            input_shape, asked, latent_dim, num_classes, table, **options
        )
    else:
        if asked not in (network, None):
            say_once(
                f"Examples of shape {input_shape} are vectors: network=dense."
            )
        options = {"num_classes": num_classes, **options}
        options.update(input_shape=input_shape, latent_dim=latent_dim)
        model = _of_networks(cls, network, known, options)
    if class_names is not None:
        model.class_names = class_names
    return model


def _of_networks(cls, network, known, options):
    """A model and its networks, by the options that `options_of` knows of."""
    input_shape = options["input_shape"]
    gaussian = issubclass(cls, LatentGaussianModel)
    options = {"gaussian": gaussian, **options}
    if gaussian:
        options |= _of_posterior(cls, **options)
    bounded = len(input_shape) == 3
    if "likelihood" in known:
        likelihood = options.get("likelihood", known["likelihood"])
        likelihood = likelihoods.get(
            likelihood, cls.__name__, losses=issubclass(cls, Reconstructing)
        )
        options["likelihood"] = likelihood
        bounded = bounded and likelihood.parameters_are_mean
        # Probabilities are in [0, 1], whatever the shape of x is.
        bounded = bounded or likelihood.parameter_bounds is not None
    options.setdefault("output_activation", "sigmoid" if bounded else None)

    def call(function, *args):
        names = inspect.signature(function).parameters
        return function(
            *args, **{key: options[key] for key in options if key in names}
        )

    builders = builders_of(cls, network, input_shape)
    return call(cls, *(call(build) for build in builders))


def family_of(
    network: str | None,
    input_shape: Sequence[int] | None,
    table: Table | None = None,
) -> str:
    """The name of the network family that is built where another may be asked for.

    Args:
        network: As in `create_model`.
        input_shape: As in `create_model`.
        table: As in `create_model`.
    """
    if table is not None:
        return network or "dense"
    is_vector = (
        input_shape is not None and len(common.check_shape(input_shape)) == 1
    )
    if is_vector and network in (None, "conv"):
        return "dense"
    return network or "conv"


def _of_posterior(cls, posterior=None, levels=1, **options):
    """The flow behind an encoder's Gaussian, and the context that it takes."""
    flow = priors.get_flow(posterior, cls.__name__)
    has_context = flow is not None or levels != 1
    return {
        "posterior": flow,
        "context_dim": _CONTEXT_DIM if has_context else 0,
    }


def _of_table(table, input_shape, network, num_classes):
    """The shape of a table's rows, and the number of its classes or None."""
    Instance(Table, "a kgen.data.Table").check("table", "create_model", table)
    if network != "dense":
        expected = '"dense" for a table: its rows are no pictures'
        raise invalid("network", "create_model", expected, network)
    if input_shape is not None and tuple(input_shape) != table.shape:
        expected = f"{table.shape}, the table's, or None"
        raise invalid("input_shape", "create_model", expected, input_shape)
    classes = len(table.class_names) or None
    if num_classes not in (None, classes):
        expected = f"{classes}, as many as the table's target has, or None"
        raise invalid("num_classes", "create_model", expected, num_classes)
    return table.shape, classes


def _with_table(cls, table, options, known):
    """The options of a model whose examples are a table's rows."""
    if options.get("likelihood", "columns") != "columns":
        expected = '"columns" for a table'
        given = options["likelihood"]
        raise invalid("likelihood", cls.__name__, expected, given)
    if issubclass(cls, BayesClassifier):  # its density takes the table
        return options
    if "likelihood" in known:
        return {**options, "likelihood": Columns(table)}
    output = ColumnsOutput(table)  # the last output is the row itself
    options = {"output_activation": output, **options, "table": table}
    if options.get("training_by_sampling"):  # conditions, as labels
        options["num_classes"] = Conditions(table).count
    return options


def _classifier(
    input_shape,
    network,
    latent_dim,
    num_classes,
    table=None,
    density="vae",
    prior=None,
    seed=None,
    **options,
):
    if num_classes is None:
        raise invalid("num_classes", "create_model", "a positive integer", None)
    if density == "vae":
        importance_samples = options.pop("importance_samples", 1)
        vae = create_model(
            "vae",
            input_shape=input_shape,
            network=network,
            latent_dim=latent_dim,
            num_classes=num_classes,
            seed=seed,
            prior=options.pop("latent_prior", "normal"),
            table=table,
            **options,
        )
        density = VAEDensity(vae, importance_samples, seed=seed or 0)
    elif table is not None:
        Options(["vae", "columns"]).check("density", "create_model", density)
        density = densities.NaiveColumns(
            input_shape, num_classes, table, **options
        )
    else:
        density = densities.get(
            density, common.check_shape(input_shape), num_classes, **options
        )
    return BayesClassifier(density, prior=prior)


def compiled_model(
    name: str,
    *,
    network: str | None = None,
    seed: int | None = None,
    **options: Any,
) -> GenerativeModel:
    """`create_model` and `compile` at once, each with the options it knows.

    The one place that splits a training's options: for `kgen train --set`,
    studies and hypermodels.

    Args:
        name: As in `create_model`.
        network: As in `create_model`.
        seed: Integer for the model's draws, where it takes one; or None.
        **options: Arguments of `create_model` and of the model's `compile`.

    Returns:
        A compiled model.

    Raises:
        InvalidArgument: If a name is unknown or a value can't be used.
    """
    shape, table = options.get("input_shape"), options.get("table")
    known = options_of(name, family_of(network, shape, table))
    of_compile = {
        option: options.pop(option)
        for option in compile_options_of(name)
        if option in options
    }
    if seed is not None and "seed" in known:
        options = {"seed": seed, **options}
    model = create_model(name, network=network, **options)
    model.compile(**of_compile)
    return model


def options_of(name: str, network: str) -> dict[str, Any]:
    """The options that `create_model` takes for a model.

    Args:
        name: A model's name.
        network: A network family's name.

    Returns:
        Dictionary from names to defaults.

    Raises:
        InvalidArgument: If a name is unknown.
    """
    Options(registry.MODELS).check("name", "create_model", name)
    Options(NETWORKS).check("network", "create_model", network)
    entry = registry.MODELS[name]
    if network not in entry.networks:
        expected = f"{' or '.join(entry.networks)} for {name}"
        if network == "unet":
            expected += ": skip connections would lead x past z"
        raise invalid("network", "create_model", expected, network)
    cls = entry.model_class
    if issubclass(cls, BayesClassifier):
        shared = options_of("vae", network)
        for option in _OF_VAE_ALONE:
            shared.pop(option, None)
        own = _defaults_of(BayesClassifier)
        ours = {"density": "vae", "latent_prior": shared["prior"]}
        return {**densities.options(), **shared, **own, **ours}
    return _defaults_of(*builders_of(cls, network), cls)


def compile_options_of(name: str) -> dict[str, Any]:
    """The arguments of a model's `compile`.

    Args:
        name: A model's name.

    Returns:
        Dictionary from names to defaults.
    """
    cls = registry.MODELS[name].model_class
    parameters = inspect.signature(cls.compile).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.name != "self"
    }


def _defaults_of(*functions):
    return {
        parameter.name: parameter.default
        for function in functions
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is not parameter.empty
        and parameter.name not in _GIVEN
    }
