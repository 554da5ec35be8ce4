"""What comes back from codes, or from noise."""

import collections

import numpy as np

from kgen import metrics
from kgen.evaluation.estimates import Estimate, check_finite, mean, ratio
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import Metric, group, no_pictures, too_small


@group(
    method="reconstruct",
    obstacles_of={
        "psnr": no_pictures,
        "ssim": too_small,
        "reconstruction_sharpness": no_pictures,
    },
    mse=Metric(
        "Squared error of reconstructions",
        "lower",
        "per value of x",
        "The mean squared difference from the original.",
    ),
    psnr=Metric(
        "PSNR of reconstructions",
        "higher",
        "dB",
        "The same on a log scale, of pictures as a file holds them, in the "
        "mean: 20 is coarse, 30 good, 40 hardly to be told from the original, "
        "and 58.9, what rounding costs, the most that counts.",
    ),
    ssim=Metric(
        "SSIM of reconstructions",
        "higher",
        "",
        "Whether local structure is the same: 1 for equal pictures.",
    ),
    reconstruction_sharpness=Metric(
        "Sharpness of reconstructions",
        "near:1",
        "of the originals'",
        "Below 1, they are blurred; above 1, noisy.",
    ),
)
def reconstructions(evidence: Evidence) -> dict[str, Estimate]:
    values = collections.defaultdict(list)
    for batch in evidence.batches():
        inputs, x = evidence.model.unpack(batch)
        x, rebuilt = np.asarray(x), np.asarray(evidence.model(inputs))
        check_finite("reconstructions", rebuilt)
        values["mse"].append(metrics.pictures.mean_squares(rebuilt, x))
        if evidence.is_picture:
            rebuilt = np.clip(rebuilt, 0.0, 1.0)  # as in a file
            values["psnr"].append(metrics.pictures.psnr_at_most(rebuilt, x))
            values["sharpness"].append(metrics.sharpness(rebuilt))
            values["originals"].append(metrics.sharpness(x))
        if too_small(evidence) is None:
            values["ssim"].append(metrics.ssim(rebuilt, x))
    values = {name: np.concatenate(parts) for name, parts in values.items()}
    sharpness = values.pop("sharpness", None), values.pop("originals", None)
    estimates = {name: mean(parts) for name, parts in values.items()}
    if evidence.is_picture and (quotient := ratio(*sharpness, paired=True)):
        estimates["reconstruction_sharpness"] = quotient
    return estimates


@group(
    method="denoise",
    obstacles=(no_pictures,),
    denoised_psnr=Metric(
        "PSNR once denoised",
        "higher",
        "dB",
        "Of pictures that were corrupted as in training.",
    ),
    noisy_psnr=Metric(
        "PSNR of the noisy pictures", None, "dB", "What it began with."
    ),
)
def denoising(evidence: Evidence) -> dict[str, Estimate]:
    model, done = evidence.model, 0
    before, after = [], []
    for batch in evidence.batches():
        _, x = model.unpack(batch)
        labels = batch[1] if isinstance(batch, tuple) else None
        # Noisy pictures are not clipped: they are judged as the model sees them.
        noisy = check_finite("denoised pictures", model.corrupt(x, done))
        denoised = model(model.with_labels(noisy, labels))
        denoised = check_finite("denoised pictures", denoised)
        denoised, x = np.clip(denoised, 0.0, 1.0), np.asarray(x)
        before.append(metrics.pictures.psnr_at_most(noisy, x))
        after.append(metrics.pictures.psnr_at_most(denoised, x))
        done += len(x)
    return {
        "noisy_psnr": mean(np.concatenate(before)),
        "denoised_psnr": mean(np.concatenate(after)),
    }
