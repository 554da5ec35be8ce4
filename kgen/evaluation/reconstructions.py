"""What comes back from codes, or from noise."""

import numpy as np

from kgen import metrics
from kgen.evaluation.figures import (
    Group,
    Metric,
    check_finite,
    mean,
    no_pictures,
    ratio,
    too_small,
)


def _as_file(images):
    """Pictures as a file would hold them."""
    return np.clip(images, 0.0, 1.0)


def _lacks_each(evidence):
    missing = no_pictures(evidence)
    names = ("psnr", "ssim", "reconstruction_sharpness")
    return dict.fromkeys(names, missing) | {"ssim": too_small(evidence)}


def _reconstructions(evidence):
    squares, psnr, ssim, sharp, originals = [], [], [], [], []
    with_ssim = too_small(evidence) is None
    for batch in evidence.batches():
        inputs, x = evidence.model.unpack(batch)
        x, rebuilt = np.asarray(x), np.asarray(evidence.model(inputs))
        check_finite("reconstructions", rebuilt)
        squares.append(metrics.pictures.mean_squares(rebuilt, x))
        if evidence.is_picture:
            rebuilt = _as_file(rebuilt)
            psnr.append(metrics.pictures.psnr_at_most(rebuilt, x))
            sharp.append(metrics.sharpness(rebuilt))
            originals.append(metrics.sharpness(x))
        if with_ssim:
            ssim.append(metrics.ssim(rebuilt, x))
    found = {"mse": mean(np.concatenate(squares))}
    if evidence.is_picture:
        found["psnr"] = mean(np.concatenate(psnr))
        sharper = ratio(
            np.concatenate(sharp), np.concatenate(originals), paired=True
        )
        found.update({"reconstruction_sharpness": sharper} if sharper else {})
    if with_ssim:
        found["ssim"] = mean(np.concatenate(ssim))
    return found


RECONSTRUCTIONS = Group(
    {
        "mse": Metric(
            "Squared error of reconstructions",
            "lower",
            "per value of x",
            "The mean squared difference from the original.",
        ),
        "psnr": Metric(
            "PSNR of reconstructions",
            "higher",
            "dB",
            "The same on a log scale, of pictures as a file holds them, in the "
            "mean: 20 is coarse, 30 good, 40 hardly to be told from the original, "
            "and 58.9, what rounding costs, the most that counts.",
        ),
        "ssim": Metric(
            "SSIM of reconstructions",
            "higher",
            "",
            "Whether local structure is the same: 1 for equal pictures.",
        ),
        "reconstruction_sharpness": Metric(
            "Sharpness of reconstructions",
            "near:1",
            "of the originals'",
            "Below 1, they are blurred; above 1, noisy.",
        ),
    },
    "reconstruct",
    _reconstructions,
    lacks_each=_lacks_each,
)


def _denoised(evidence):
    found, done = {"noisy_psnr": [], "denoised_psnr": []}, 0
    for batch in evidence.batches():
        _, x = evidence.model.unpack(batch)
        noisy = evidence.model.corrupt(x, done)
        clean = evidence.model(
            evidence.model.with_labels(noisy, _labels(batch))
        )
        for name, images in (("noisy", noisy), ("denoised", clean)):
            images = check_finite("denoised pictures", images)
            if name == "denoised":  # noise is what it is
                images = _as_file(images)
            psnr = metrics.pictures.psnr_at_most(images, np.asarray(x))
            found[f"{name}_psnr"].append(psnr)
        done += len(x)
    return {name: mean(np.concatenate(v)) for name, v in found.items()}


def _labels(batch):
    return batch[1] if isinstance(batch, tuple) else None


DENOISING = Group(
    {
        "denoised_psnr": Metric(
            "PSNR once denoised",
            "higher",
            "dB",
            "Of pictures that were corrupted as in training.",
        ),
        "noisy_psnr": Metric(
            "PSNR of the noisy pictures", None, "dB", "What it began with."
        ),
    },
    "denoise",
    _denoised,
    no_pictures,
)
