"""Every name that is offered can be built."""

import keras
import numpy as np
import pytest

import kgen
from kgen import densities, hypermodels, names, optimizers, registry
from kgen.cli import train
from kgen.errors import InvalidArgument
from kgen.layers import augmentation, corruption
from kgen.losses import adversarial, keras_losses, likelihoods, penalties
from kgen.models import factory


@pytest.mark.parametrize("name", optimizers.by_name())
def test_optimizers(name):
    """They are built, saved and loaded."""
    optimizer = optimizers.get(f"{name}:0.01")
    optimizer.build([keras.Variable(np.zeros((2, 2), "float32"))])
    config = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(optimizer)


def test_an_unknown_optimizer_is_offered_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean 'lamb'"):
        optimizers.get("lambb")


@pytest.mark.parametrize(
    ("get", "offered"),
    [
        (adversarial.get, adversarial.LOSSES),
        (penalties.get, penalties.PENALTIES),
        (likelihoods.get, likelihoods.LIKELIHOODS),
        (
            lambda name: likelihoods.get(name, losses=True),
            keras_losses.NAMES,
        ),
        (
            lambda name: corruption.get(f"{name}:0.2", "test"),
            corruption.CORRUPTIONS,
        ),
        (
            lambda name: densities.get(name, (30,), 2),
            densities.factory.DENSITIES,
        ),
        (
            lambda name: augmentation.get(name, (8, 8, 1)),
            augmentation.AUGMENTATIONS,
        ),
        (hypermodels.get, registry.MODELS),
    ],
    ids=["losses", "penalties", "likelihoods", "keras losses", "corruptions"]
    + ["densities", "augmentations", "hypermodels"],
)
def test_what_is_offered_is_built(get, offered):
    for name in offered:
        assert get(name) is not None


@pytest.mark.parametrize("model", registry.MODELS)
@pytest.mark.parametrize("network", names.NETWORKS)
def test_models_and_networks(model, network):
    if network not in registry.MODELS[model].networks:
        with pytest.raises(InvalidArgument, match="skip connections"):
            factory.options_of(model, network)
        return
    small = {"filters": 2, "hidden_units": (4,)}
    known = factory.options_of(model, network)
    found = kgen.create_model(
        model,
        input_shape=(8, 8, 1),
        network=network,
        latent_dim=2,
        num_classes=2
        if registry.MODELS[model].model_class.needs_labels
        else None,
        **{name: value for name, value in small.items() if name in known},
    )
    found.compile()


@pytest.mark.parametrize("model", registry.MODELS)
def test_the_shell_completes_the_names_that_set_takes(model):
    known = set(factory.compile_options_of(model))
    for network in registry.MODELS[model].networks:
        known |= set(factory.options_of(model, network))
    typed = {option.name for option in train.train.params}
    assert set(names.SETTINGS[model]) == known - typed


def test_the_lists_agree():
    assert set(names.NETWORKS) == set(factory.NETWORKS)
    for entry in registry.MODELS.values():
        assert getattr(kgen, entry.class_name) is entry.model_class
        assert set(entry.networks) <= set(names.NETWORKS)
        assert entry.training.keys() <= registry.TRAINING.keys()
