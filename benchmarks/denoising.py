"""One denoising autoencoder for all noise levels, beside classical filters.

    pip install scikit-image bm3d
    python benchmarks/denoising.py --data FOLDER_WITH_THE_IDX_FILES

Trains a U-Net on Fashion-MNIST's training pictures with noise of a standard
deviation drawn for each picture from 0.05 to 0.6, and denoises the first 500
test pictures at 0.1, 0.25 and 0.5: Gaussian noise, not clipped; outputs
clipped to [0, 1]; means of PSNR and SSIM over the pictures. Beside it:
scikit-image's non-local means (told the noise level, with the best of several
strengths *on these pictures*), total variation (likewise) and wavelets, BM3D
(told the noise level) where the package is there, and the linear filter of
least mean squared error, from the training pictures' covariance. The model is
not told the level. Writes result.json and pictures to `--out`.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
from skimage import restoration
from skimage.metrics import structural_similarity

import kgen

LEVELS = (0.1, 0.25, 0.5)


def train(arguments):
    keras.utils.set_random_seed(arguments.seed)
    training = kgen.data.load(
        arguments.data, "train", seed=arguments.seed, batch_size=64
    )
    model = kgen.create_model(
        "denoising_autoencoder",
        input_shape=(28, 28, 1),
        network="unet",
        latent_dim=32,
        filters=arguments.filters,
        corruption="gaussian:0.05:0.6",
    )
    steps = arguments.epochs * int(training.cardinality())
    warmup = min(500, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        steps - warmup,
        warmup_target=arguments.learning_rate,
        warmup_steps=warmup,
        alpha=0.01,
    )
    model.compile(optimizer=kgen.optimizers.Adam(rate))
    start = time.time()
    model.fit(training, epochs=arguments.epochs, verbose=2)
    return model, time.time() - start


def linear_filter(train, level):
    """Wiener's filter: mean + C (C + level^2 I)^-1 (x - mean)."""
    x = train.reshape(len(train), -1).astype("float64")
    mean, covariance = x.mean(axis=0), np.cov(x, rowvar=False)
    noisy = covariance + level**2 * np.eye(len(covariance))
    gain = np.linalg.solve(noisy, covariance)

    def denoise(images):
        flat = images.reshape(len(images), -1)
        return (mean + (flat - mean) @ gain).reshape(images.shape)

    return denoise


def by_picture(function):
    """A filter of one grey picture as one of a batch."""
    return lambda images: np.stack([function(x[..., 0]) for x in images])[
        ..., None
    ]


def filters(model, train, level):
    """Functions from noisy to clean pictures, by name; lists are tried out."""
    found = {
        "noisy": [lambda images: images],
        "kgen": [model.denoise],
        "linear MMSE": [linear_filter(train, level)],
        "non-local means": [
            by_picture(
                lambda x, h=h, size=size: restoration.denoise_nl_means(
                    x,
                    patch_size=size,
                    patch_distance=11,
                    h=h * level,
                    sigma=level,
                )
            )
            for h in (0.2, 0.3, 0.4, 0.6, 0.8)
            for size in (3, 5, 7)
        ],
        "total variation": [
            by_picture(
                lambda x, w=w: restoration.denoise_tv_chambolle(
                    x, weight=w * level
                )
            )
            for w in (0.6, 0.8, 1.0, 1.2)
        ],
        "wavelets": [
            by_picture(lambda x: restoration.denoise_wavelet(x, sigma=level))
        ],
    }
    try:
        import bm3d
    except ImportError:
        print("BM3D is left out: its package bm3d is not installed")
        return found
    found["BM3D"] = [by_picture(lambda x: bm3d.bm3d(x, level))]
    return found


def judge(output, clean):
    output = np.clip(output, 0, 1)
    ssim = [
        structural_similarity(x[..., 0], y[..., 0], data_range=1.0)
        for x, y in zip(output, clean)
    ]
    psnr = kgen.metrics.psnr(output, clean)
    error = np.std(psnr) / np.sqrt(len(psnr))
    return {
        "psnr": float(np.mean(psnr)),
        "psnr_standard_error": float(error),
        "ssim": float(np.mean(ssim)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--again",
        action="store_true",
        help="judge the model in --out again, without training",
    )
    parser.add_argument("--out", default="benchmarks/results/denoising")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    if arguments.again:
        model = kgen.load_model(out / "model.keras")
        settings = json.loads((out / "result.json").read_text())["settings"]
    else:
        model, seconds = train(arguments)
        model.save(out / "model.keras")
        settings = {
            name: getattr(arguments, name)
            for name in ("epochs", "filters", "learning_rate", "seed")
        }
        settings["train_seconds"] = round(seconds)
    splits = ("train", f"test[:{arguments.pictures}]")
    train_images, clean = (
        np.concatenate(list(batches.as_numpy_iterator()))
        for batches in kgen.data.load(arguments.data, splits, seed=0)
    )
    rng = np.random.default_rng(arguments.seed)
    table, shown = {}, {"clean": clean[:12]}
    for level in LEVELS:
        noise = rng.normal(scale=level, size=clean.shape).astype("float32")
        noisy = clean + noise
        for name, candidates in filters(model, train_images, level).items():
            outputs = [candidate(noisy) for candidate in candidates]
            results = [judge(output, clean) for output in outputs]
            best = max(range(len(results)), key=lambda i: results[i]["psnr"])
            table.setdefault(name, {})[str(level)] = results[best]
            print(level, name, results[best], flush=True)
            if level == 0.5 and name in ("noisy", "non-local means", "BM3D"):
                shown[name] = np.clip(outputs[best][:12], 0, 1)
        if level == 0.5:
            shown["kgen"] = model.denoise(noisy[:12])
    kgen.plots.pairs(shown, out / "denoised.png", "Noise of 0.5")
    (out / "result.json").write_text(
        json.dumps({"settings": settings, "results": table}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
