"""What speed.py trains: the cases, the sizes of their networks, the pictures.

All contenders build their networks from the numbers here, each in its own
language. This file needs NumPy alone, since it is imported in the environments
of all of them.
"""

import dataclasses

import numpy as np

LATENT = 20
HIDDEN = 400  # units of the hidden layer of dense networks
DENSE = 256  # units of the dense layer of convolutional ones
FILTERS = (32, 64, 128, 256)  # of the convolutions, from the picture down
UNET_BLOCKS = 2  # convolutions at each size of the U-Net
NOISE = (0.05, 0.6)  # what the U-Net removes: bounds of the standard deviation
KL_WEIGHT = 0.02  # of the VAE-GAN
GP_WEIGHT, R1_WEIGHT = 10.0, 1.0
RATE = 0.001
EPSILON = 1e-7
# Generators have batch normalisation with these.
BN_MOMENTUM, BN_EPSILON = 0.9, 1e-4
SLOPE = 0.2  # of the discriminators' leaky ReLU

# How many pictures of each shape there are.
POOL = {(28, 28, 1): 60_000, (64, 64, 3): 10_000}


@dataclasses.dataclass(frozen=True)
class Case:
    """A training that all contenders do.

    Args:
        model: Its name in kgen.
        network: `"dense"`, `"conv"` or `"unet"`.
        shape: Of one picture, `(height, width, channels)`.
        batch: Examples of a step.
        loss: Of the GAN.
        penalty: Of the GAN's discriminator, or None.
        discriminator_steps: K: a batch is cut into K parts, one for each
            update of the discriminator.
        warm_up: Steps with which each contender warms up.
    """

    model: str = "vae"
    network: str = "conv"
    shape: tuple = (28, 28, 1)
    batch: int = 128
    loss: str = "non_saturating"
    penalty: str | None = None
    discriminator_steps: int = 1
    warm_up: int = 16

    @property
    def beta_1(self):
        """Adam's: players of a game have a shorter memory."""
        return 0.5 if self.model in ("gan", "vaegan") else 0.9

    @property
    def logs(self):
        """The losses that each contender tells, by kgen's names for them."""
        logs = {
            "gan": ("discriminator_loss", "generator_loss"),
            "vaegan": (
                "reconstruction_loss",
                "discriminator_loss",
                "generator_loss",
            ),
        }.get(self.model, ("loss",))
        return (*logs, "penalty") if self.penalty else logs

    @property
    def pixels(self):
        return int(np.prod(self.shape))

    @property
    def sides(self):
        """The side of the maps at each halving, from the picture down to 4."""
        sides = [self.shape[0]]
        while sides[-1] > 4:
            sides.append(-(-sides[-1] // 2))
        return sides

    @property
    def filters(self):
        """Of the convolution that leads to each of `sides[1:]`."""
        return FILTERS[: len(self.sides) - 1]


CASES = {
    "vae-dense-128": Case(network="dense", warm_up=64),
    "vae-dense-512": Case(network="dense", batch=512),
    "vae-conv-28": Case(),
    "vae-conv-64": Case(shape=(64, 64, 3), warm_up=4),
    "gan": Case("gan"),
    "gan-r1": Case("gan", penalty="r1", warm_up=8),
    "wgan-gp": Case(
        "gan", loss="wasserstein", penalty="gradient_penalty", warm_up=8
    ),
    "gan-5-steps": Case("gan", batch=320, discriminator_steps=5, warm_up=8),
    "vaegan": Case("vaegan", warm_up=4),
    "unet-denoising": Case("denoising_autoencoder", "unet", warm_up=2),
}


def pictures(shape, count, seed=0):
    """Smooth pictures with some noise, as uint8: there is something to learn."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    parts = []
    for start in range(0, count, 500):
        size = min(500, count - start)
        phase = rng.uniform(0, 6.3, (2, size, 1, channels))
        pitch = rng.normal(0, 6.0, (2, size, 1, channels))
        rows = np.sin(pitch[0] * np.linspace(0, 1, height)[:, None] + phase[0])
        columns = np.sin(
            pitch[1] * np.linspace(0, 1, width)[:, None] + phase[1]
        )
        waves = rows[:, :, None] * columns[:, None]
        waves = waves + 0.05 * rng.normal(size=waves.shape)
        parts.append(np.clip(127.5 * (1 + waves), 0, 255).astype("uint8"))
    return np.concatenate(parts)


def file_name(shape):
    """The name of the file of the pictures of a shape."""
    return f"{'x'.join(map(str, shape))}.npy"


def sizes(networks, arrays_of):
    """The sizes of all trained arrays of each network, for a comparison.

    Args:
        networks: Dictionary from names to networks.
        arrays_of: Function from a network to the shapes of its arrays.

    Returns:
        Dictionary from names to sorted lists of integers.
    """
    return {
        name: sorted(int(np.prod(shape)) for shape in arrays_of(network))
        for name, network in networks.items()
    }
