"""Samples before and after `fit_prior`, on Fashion-MNIST.

    python benchmarks/fashion_samplers.py --data FOLDER_WITH_THE_IDX_FILES

A VAE, an autoencoder and a regularised autoencoder (RAE) have convolutional networks
of the same widths, and are trained for the same number of minutes, in whose second
half the rate falls to 0. 10,000 samples of
each are judged against the 10,000 test pictures by the Frechet distance, precision
and recall on the features of a classifier of the training pictures: of the VAE by its
prior N(0, I), and of all three by densities that `fit_prior` fits to codes of the
training pictures, without training the networks anew. The distance of reconstructions
of the test pictures is what better codes could reach at best; that of training
pictures is the floor. Nothing is selected on the test set. Writes results.csv and
samples.png to `--out`.
"""

import argparse
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import pandas as pd
from fashion_judge import Judge
from timed import Seconds

import kgen

SHAPE = (28, 28, 1)


def networks(arguments, gaussian, decoder_penalty=None, code_penalty=None):
    """An encoder and a decoder, for a RAE with its two penalties."""
    sizes = {"filters": arguments.filters, "max_filters": 128}
    encoder = kgen.networks.convolutional.encoder(
        SHAPE, arguments.latent_dim, gaussian=gaussian, **sizes
    )
    if code_penalty:
        penalty = keras.layers.ActivityRegularization(l2=code_penalty)
        encoder = keras.Model(encoder.inputs, penalty(encoder.outputs[0]))
    decoder = kgen.networks.convolutional.decoder(
        SHAPE,
        arguments.latent_dim,
        output_activation="sigmoid",
        kernel_regularizer=decoder_penalty
        and keras.regularizers.L2(decoder_penalty),
        **sizes,
    )
    return encoder, decoder


def built(name, arguments):
    if name == "VAE":
        return kgen.VAE(*networks(arguments, True), seed=arguments.seed)
    if name == "autoencoder":
        return kgen.Autoencoder(*networks(arguments, False))
    # Ghosh et al. (2020), equation 7: the squared error's weights are halves here.
    return kgen.Autoencoder(*networks(arguments, False, 1e-6, 5e-3))


def trained(name, arguments):
    keras.utils.set_random_seed(arguments.seed)
    model = built(name, arguments)
    model.compile()
    x = kgen.data.load(
        arguments.data, "train", batch_size=64, seed=arguments.seed
    )
    seconds = Seconds(60 * arguments.minutes)
    model.fit(x, epochs=10_000, verbose=2, callbacks=[seconds])
    return model


def figures(judge, images):
    found = judge.figures(images)
    names = ("frechet_distance", "precision", "recall")
    return {name: round(float(found[name]), 3) for name in names}


def rows_of(name, model, judge, arguments):
    """The figures of a model by each prior, and its first samples."""
    samples = {}
    rows = [
        {
            "model": name,
            "prior": "(reconstructions)",
            **figures(judge, model.reconstruct(judge.x_test)),
        }
    ]
    for prior in ("N(0, I)", "gaussian", "mixture:10", "flow:4"):
        start = time.time()
        if prior != "N(0, I)":
            model.fit_prior(judge.x, prior, seed=arguments.seed)
        elif name != "VAE":
            continue
        seconds = round(time.time() - start, 1)
        images = model.sample(10_000, seed=1)
        samples[f"{name}, {prior}"] = images[:12]
        rows.append(
            {
                "model": name,
                "prior": prior,
                **figures(judge, images),
                "seconds_to_fit": seconds,
            }
        )
    return rows, samples


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="the folder of the IDX files")
    add("--minutes", type=float, default=3.0, help="of each training")
    add("--latent-dim", type=int, default=32)
    add("--filters", type=int, default=32)
    add("--seed", type=int, default=0)
    add("--out", default="benchmarks/results/fashion_samplers")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    judge = Judge(arguments.data, arguments.seed)
    floor = {"model": "(training pictures)", "prior": ""}
    table = [{**floor, **figures(judge, judge.x[:10_000])}]
    pictures = {"test pictures": judge.x_test[:12]}
    for name in ("VAE", "autoencoder", "RAE"):
        model = trained(name, arguments)
        rows, samples = rows_of(name, model, judge, arguments)
        table += rows
        pictures |= samples
        print(pd.DataFrame(rows).to_string(index=False), flush=True)
    results = pd.DataFrame(table)
    results.to_csv(out / f"results-{arguments.seed}.csv", index=False)
    print(results.to_string(index=False))
    kgen.plots.pairs(
        pictures, out / "samples.png", "Samples by several priors", columns=12
    )


if __name__ == "__main__":
    main()
