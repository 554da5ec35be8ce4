"""The public API as a user writes it, for mypy alone: it is never run.

`assert_type` fails where an annotation is not the one a user may rely on. Without
TensorFlow's and Keras's types, what is theirs is of type Any, but for the members of
`keras.Model` (tests/typings).
"""

import pathlib
from typing import Any, assert_type

import keras
import keras_tuner
import numpy as np
import pandas as pd
import tensorflow as tf

import kgen
from kgen.evaluation import Estimate
from kgen.extractors import Extractor
from kgen.models.base import GenerativeModel
from kgen.sklearn import (
    AutoencoderTransformer,
    GenerativeClassifier,
    OutlierDetector,
    VAETransformer,
)

assert_type(kgen.__version__, str)


def shown(pictures: np.ndarray) -> None:
    """What a model of pictures returns; one of a table returns DataFrames."""


def data() -> tuple[tf.data.Dataset, tf.data.Dataset]:
    train, test = kgen.data.load(
        "digits", split=("train", "test"), batch_size=64, seed=0
    )
    kgen.data.load(np.zeros((2, 8, 8, 1)), "train[:1]", binarize=True)
    source = kgen.data.open_source("digits", image_shape=(8, 8, 1))
    assert_type(source, kgen.data.Source)
    assert_type(source.splits, tuple[str, ...])
    assert_type(source.num_classes, int | None)
    assert_type(len(source.examples("test")), int)
    kgen.data.set_epoch(train, 3)
    return train, test


def vae(x: np.ndarray, y: np.ndarray) -> None:
    train, test = data()
    model = kgen.create_model(
        "vae", input_shape=(8, 8, 1), network="conv", latent_dim=8
    )
    assert_type(model, kgen.VAE)
    model.compile(optimizer="adam")
    model.fit(train, validation_data=test, epochs=100)
    shown(model.sample(16, seed=0))
    shown(model.sample(10, labels=range(10)))
    shown(model.reconstruct(x))
    mean, log_var = model.posterior(x)
    assert_type(mean, np.ndarray)
    assert_type(log_var, np.ndarray)
    assert_type(model.elbo(x), np.ndarray)
    assert_type(model.rate_distortion(x), tuple[np.ndarray, np.ndarray])
    assert_type(model.log_likelihood(x, num_samples=500), np.ndarray)
    assert_type(model.importance_sampling(x), tuple[np.ndarray, np.ndarray])
    assert_type(model.interpolate(x, x, steps=8), np.ndarray)
    moved = model.encode(x) + model.attribute_vector(x, y)
    shown(model.decode(moved))
    assert_type(model.predict(x), np.ndarray)
    assert_type(model.metrics_names, list[str])
    named = kgen.create_model(
        "vae", input_shape=(8, 8, 1), class_names=["cat", "dog"]
    )
    shown(named.sample(2, labels="dog"))
    shown(named.sample(2, labels=["cat", "dog"]))
    named.class_names = ["Katze", "Hund"]
    assert_type(named.class_names, tuple[str, ...])


def priors(x: np.ndarray) -> None:
    prior = kgen.priors.MixturePrior(10)
    model = kgen.create_model(
        "vae", input_shape=(8, 8, 1), prior=prior, posterior="flow:4"
    )
    assert_type(model.prior, kgen.priors.Prior)
    assert_type(model.fit_prior(x, "mixture:10"), kgen.priors.Prior | None)
    assert_type(model.sample_codes(x, seed=0), np.ndarray)
    autoencoder = kgen.create_model("autoencoder", input_shape=(8, 8, 1))
    autoencoder.fit_prior(x)
    shown(autoencoder.sample(16, seed=0))
    kgen.priors.HierarchicalPrior(top=kgen.priors.VampPrior(500))
    kgen.callbacks.VAEWatch(x)
    kgen.callbacks.KLWarmUp(10, cycles=4)


def files(path: pathlib.Path, model: kgen.VAE) -> None:
    model.save(path / "vae.keras")
    loaded = kgen.load_model(
        "vae.keras", custom_objects={"MyLayer": keras.layers.Layer}
    )
    assert isinstance(loaded, kgen.VAE)
    loaded.sample(1)
    loaded.sampel(1)  # type: ignore[attr-defined]
    assert_type(model.export("saved_models/vae/1"), None)
    model.export(path, overwrite=True, image_format="png", facts={"run": 1})
    assert_type(kgen.export.next_version(path, "vae"), pathlib.Path)
    assert_type(kgen.VAE.from_config(model.get_config()), kgen.VAE)


def networks() -> None:
    encoder = kgen.networks.dense.encoder((8, 8, 1), 2, hidden_units=(64,))
    decoder = kgen.networks.dense.decoder((8, 8, 1), 2)
    discriminator = kgen.networks.convolutional.discriminator((8, 8, 1))
    kgen.networks.resnet.generator((64, 64, 3), 64, blocks=2, attention=16)
    kgen.networks.resnet.discriminator((64, 64, 3), minibatch_std=False)
    likelihood = kgen.losses.Gaussian(learn_stddev=True)
    kgen.VAE(encoder, decoder, likelihood, kl_weight=4, free_bits=0.1, seed=0)
    kgen.Autoencoder(encoder, decoder, likelihood="mae")
    kgen.DenoisingAutoencoder(encoder, decoder, corruption="gaussian:0.25")
    kgen.GAN(decoder, discriminator, latent_dim=2)
    kgen.VAEGAN(encoder, decoder, discriminator, feature_weight=0.5)


def autoencoders(x: np.ndarray) -> None:
    ae = kgen.create_model("autoencoder", input_shape=(8, 8, 1))
    assert_type(ae, kgen.Autoencoder)
    ae.compile(optimizer="adam")
    shown(ae.decode(ae.encode(x)))
    denoiser = kgen.create_model(
        "denoising_autoencoder", input_shape=[8, 8, 1], network="unet"
    )
    assert_type(denoiser, kgen.DenoisingAutoencoder)
    shown(denoiser.denoise(denoiser.corrupt(x)))


def gans(x: np.ndarray) -> None:
    train, _ = data()
    gan = kgen.create_model("gan", input_shape=(8, 8, 1), latent_dim=16)
    assert_type(gan, kgen.GAN)
    gan.compile(
        loss="hinge", penalty=None, discriminator_steps=2, ema_decay=None
    )
    gan.fit(train, epochs=200)
    shown(gan.sample(16, seed=0))
    assert_type(gan.interpolate(4, steps=8, seed=0), np.ndarray)
    assert_type(gan.discriminate(x), np.ndarray)
    vaegan = kgen.create_model("vaegan", input_shape=(8, 8, 1))
    assert_type(vaegan, kgen.VAEGAN)
    vaegan.compile(decoder_optimizer="adam", equilibrium_margin=0.35)
    gan.compile(
        loss="relativistic_paired",
        penalty=["r1:1", "r2:1"],
        penalty_every=16,
        lecam_weight=0.001,
        augmentation=kgen.layers.DiffAugment(["translation", "cutout"]),
    )
    vaegan.compile(augmentation="adaptive")
    shown(vaegan.reconstruct(x))


def classifiers(x: np.ndarray, vae: kgen.VAE) -> None:
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(8, 8, 1),
        num_classes=10,
        density="full",
    )
    assert_type(model, kgen.BayesClassifier)
    model.compile(discriminative_weight=100, unlabelled_weight=0.01)
    assert_type(model.log_joint(x, mask=x > 0.1), np.ndarray)
    assert_type(model.log_prob(x), np.ndarray)
    assert_type(model.outlier_score(x), np.ndarray)
    assert_type(model.classify(x), np.ndarray)
    assert_type(model.predict_log_proba(x), np.ndarray)
    shown(model.sample(10, labels=range(10)))
    density = kgen.VAEDensity([vae], importance_samples=64)
    kgen.BayesClassifier(density, prior="uniform")
    kgen.BayesClassifier(kgen.densities.NaiveGaussian((8, 8, 1), 10))


def outliers(x: np.ndarray, vae: kgen.VAE, ae: kgen.Autoencoder) -> None:
    assert_type(vae.outlier_score(x, num_samples=100, seed=1), np.ndarray)
    assert_type(ae.outlier_score(x), np.ndarray)
    assert_type(ae.threshold, float | None)
    assert_type(vae.fit_threshold(x, quantile=0.99, num_samples=100), float)
    assert_type(vae.is_outlier(x), np.ndarray)


def any_model(name: str) -> None:
    model = kgen.create_model(name, input_shape=(64,), network="dense")
    assert_type(model, GenerativeModel)


def callbacks(x: np.ndarray) -> None:
    train, _ = data()
    source = kgen.data.open_source("digits")
    extractor = kgen.extractors.get("classifier", source)
    assert_type(extractor, Extractor)
    assert_type(extractor.features(x), np.ndarray)
    judge = kgen.callbacks.Evaluation(
        ["frechet_distance", "precision"],
        source.examples("test"),
        source.examples("train"),
        extractor=extractor,
        every=5,
        num_samples=2000,
    )
    gan = kgen.create_model("gan", input_shape=(8, 8, 1))
    gan.fit(
        train,
        callbacks=[
            judge,
            kgen.callbacks.EpochOrder(train),
            kgen.callbacks.GANWatch(x),
            kgen.callbacks.FrechetWatch(x, every=5),
            kgen.callbacks.KeepBest(patience=10),
            kgen.callbacks.Guard(on_nan="skip", report=print),
            kgen.callbacks.KLWarmUp(epochs=10),
            kgen.callbacks.SampleProgress("frames", "progress.png"),
        ],
    )


def evaluation(model: kgen.VAE, x: np.ndarray, y: np.ndarray) -> None:
    source = kgen.data.open_source("digits")
    evidence = kgen.evaluation.Evidence(model, source.examples("test"))
    figures, left_out = kgen.evaluation.compute(evidence, ["elbo"])
    assert_type(figures, dict[str, Estimate])
    assert_type(left_out, dict[str, str])
    assert_type(figures["elbo"].value, float)
    assert_type(figures["elbo"].standard_error, float | None)
    assert_type(kgen.evaluation.suits("elbo", model), bool)
    assert_type(kgen.metrics.probe(x, y), dict[str, float])
    assert_type(kgen.metrics.frechet_distance(x, x), float)
    assert_type(kgen.metrics.kernel_distance(x, x), dict[str, float])
    assert_type(kgen.metrics.precision_recall(x, x), dict[str, float])
    assert_type(kgen.metrics.active_units(x), int)
    assert_type(kgen.metrics.psnr(x, x), np.ndarray)
    assert_type(kgen.metrics.ssim(x, x), np.ndarray)
    statistics = kgen.metrics.FeatureStatistics()
    statistics.update(x)
    assert_type(statistics.covariance, np.ndarray)
    keras.Sequential().compile("adam", "mse", metrics=[kgen.metrics.PSNR()])


def tables(x: np.ndarray, y: np.ndarray) -> None:
    codes = AutoencoderTransformer(2, random_state=0).fit(x)
    assert_type(codes, AutoencoderTransformer)
    assert_type(codes.transform(x), np.ndarray)
    assert_type(kgen.sklearn.VAETransformer(2).fit(x), VAETransformer)
    classifier = GenerativeClassifier("low_rank:8", unlabelled=-1).fit(x, y)
    assert_type(classifier, GenerativeClassifier)
    assert_type(classifier.predict(x), np.ndarray)
    assert_type(classifier.predict_proba(x), np.ndarray)
    assert_type(classifier.sample(5), tuple[np.ndarray, np.ndarray])
    detector = OutlierDetector("full", contamination=0.05).fit(x)
    assert_type(detector, OutlierDetector)
    assert_type(detector.decision_function(x), np.ndarray)
    assert_type(detector.predict(x), np.ndarray)


def synthetic_rows(train: pd.DataFrame, test: pd.DataFrame) -> None:
    kinds = {"age": "integer", "vote": "category"}
    judged = kgen.metrics.tables
    assert_type(
        judged.table_figures(train, test, test, kinds, "vote"), dict[str, Any]
    )
    assert_type(judged.column_shapes(train, test, kinds), dict[str, Any])
    assert_type(judged.pair_trends(train, test, kinds), dict[str, Any])
    copies = judged.copies(train, test, test, kinds)
    assert_type(copies, dict[str, dict[str, float]])
    assert_type(judged.validity(train, test, kinds), dict[str, Any])
    assert_type(judged.telling_apart(train, test, kinds, seed=0), float)
    assert_type(judged.closest_distances(test, train, kinds), np.ndarray)
    kgen.plots.marginals(train, test, kinds, "marginals.png")
    matrix = judged.correlations(train, kinds)
    kgen.plots.correlations(matrix, matrix, pathlib.Path("correlations.png"))
    kgen.plots.gaps(train, test, "gaps.png")


def tuning() -> None:
    space = {
        "latent_dim": {"min": 4, "max": 32, "log": True},
        "optimizer": {
            "text": "adam:{rate}",
            "rate": {"min": 1e-4, "max": 1e-2},
        },
    }
    hypermodel = kgen.hypermodels.VAE(input_shape=(8, 8, 1), space=space)
    assert_type(hypermodel.first(), dict)
    assert_type(
        hypermodel.build(keras_tuner.HyperParameters()), GenerativeModel
    )
    rows = kgen.data.Table.infer("people.csv")
    kgen.hypermodels.VAE(table=rows, space=space)
    assert_type(kgen.hypermodels.get("gan"), type[kgen.hypermodels.HyperModel])
    study = kgen.studies.read("tuning/vae_digits.toml")
    assert_type(study, kgen.studies.Study)
    assert_type(kgen.studies.tune(study, resume=True), dict | None)
    assert_type(kgen.studies.results.read("tuning/vae_digits.toml"), dict)


def pictures(x: np.ndarray) -> None:
    assert_type(kgen.plots.image_grid(x, 4), np.ndarray)
    kgen.plots.samples(x, "samples.png", title="Samples")
    rows = {"original": x, "reconstruction": x}
    kgen.plots.pairs(rows, pathlib.Path("pairs.png"))


def parts() -> None:
    sampling = kgen.layers.GaussianSampling(kl_weight=1.0, seed=0)
    sampling.reset()
    kgen.layers.GainAndShift(num_classes=10)
    kgen.layers.GatedDense(100)
    kgen.layers.MinibatchStdDev(momentum=0.9)
    kgen.layers.NoCheckerboard()
    kgen.layers.ResizeConvolution("he_normal")
    kgen.layers.BatchNormalization()
    penalty = kgen.losses.penalties.get("r1:0.5")
    assert_type(penalty, kgen.losses.Penalty | None)
    several = kgen.losses.penalties.get(["r1:1", kgen.losses.R2(1.0)])
    assert_type(several, list[kgen.losses.Penalty])
    kgen.layers.AdaptiveAugment(target=0.5, examples=100_000)
    kgen.losses.LeCam(0.001)
    loss = kgen.losses.adversarial.get("hinge")
    assert_type(loss, kgen.losses.AdversarialLoss)
    assert_type(
        kgen.densities.get("full", (8, 8, 1), 10), kgen.densities.Density
    )
    kgen.optimizers.get("adam:0.001")
