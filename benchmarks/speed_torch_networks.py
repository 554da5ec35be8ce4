"""The networks of speed_torch.py and speed_pythae.py, layer by layer kgen's.

    networks_of(CASES["gan"])

Maps are of the same sizes everywhere. Where TensorFlow pads one side more than
the other, PyTorch pads both alike: that shifts a map by a pixel at most, and
costs the same.
"""

import torch
from speed_cases import (
    BN_EPSILON,
    BN_MOMENTUM,
    DENSE,
    HIDDEN,
    LATENT,
    SLOPE,
    UNET_BLOCKS,
)
from torch import nn


def networks_of(case):
    """A `ModuleDict` of the networks of a case, by kgen's names for them."""
    if case.network == "dense":
        networks = {
            "encoder": dense_encoder(case),
            "decoder": dense_decoder(case),
        }
    elif case.network == "unet":
        networks = {"encoder": UNetEncoder(case), "decoder": UNetDecoder(case)}
    elif case.model == "gan":
        networks = {
            "generator": nn.Sequential(*grown(case, True), nn.Sigmoid()),
            "discriminator": Discriminator(case),
        }
    else:
        networks = {
            "encoder": conv_encoder(case),
            "decoder": nn.Sequential(*grown(case)),
        }
        if case.model == "vaegan":
            networks["decoder"].append(nn.Sigmoid())
            networks["discriminator"] = Discriminator(case)
    networks = nn.ModuleDict(networks)
    networks.apply(initialise)
    return networks


def initialise(layer):
    """As Keras does it: Glorot's uniform law, and biases of 0."""
    if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def dense_encoder(case):
    """To the mean and the logarithm of the variance, side by side."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(case.pixels, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, 2 * LATENT),
    )


def dense_decoder(case):
    height, width, channels = case.shape
    return nn.Sequential(
        nn.Linear(LATENT, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, case.pixels),
        nn.Unflatten(1, (channels, height, width)),
    )


def down(case, kernel, activation):
    """Convolutions that halve the maps, and the size of what they end in."""
    layers, before = [], case.shape[-1]
    for side, count in zip(case.sides, case.filters):
        padding = 2 if kernel == 4 and side % 2 else 1
        layers += [nn.Conv2d(before, count, kernel, 2, padding), activation]
        before = count
    return [*layers, nn.Flatten()], before * case.sides[-1] ** 2


def conv_encoder(case):
    layers, size = down(case, 3, nn.ReLU())
    return nn.Sequential(
        *layers, nn.Linear(size, DENSE), nn.ReLU(), nn.Linear(DENSE, 2 * LATENT)
    )


def grown(case, normalised=False):
    """From z to pictures, without the last activation."""

    def norm(kind, count):
        if not normalised:
            return []
        return [kind(count, eps=BN_EPSILON, momentum=1 - BN_MOMENTUM)]

    side, count, bias = case.sides[-1], case.filters[-1], not normalised
    layers = [
        nn.Linear(LATENT, DENSE, bias=bias),
        *norm(nn.BatchNorm1d, DENSE),
        nn.ReLU(),
        nn.Linear(DENSE, count * side * side, bias=bias),
        nn.Unflatten(1, (count, side, side)),
        *norm(nn.BatchNorm2d, count),
        nn.ReLU(),
    ]
    for after, less in zip(case.sides[-2:0:-1], case.filters[-2::-1]):
        layers += [
            doubled(count, less, side, after, bias),
            *norm(nn.BatchNorm2d, less),
            nn.ReLU(),
        ]
        side, count = after, less
    return [*layers, doubled(count, case.shape[-1], side, case.sides[0], True)]


def doubled(count, less, side, after, bias):
    odd = int(after < 2 * side)
    return nn.ConvTranspose2d(count, less, 4, 2, 1 + odd, odd, bias=bias)


class Discriminator(nn.Module):
    """Pictures to the last maps, and the logit."""

    def __init__(self, case):
        super().__init__()
        layers, size = down(case, 4, nn.LeakyReLU(SLOPE))
        self.down = nn.Sequential(*layers)
        self.logit = nn.Sequential(
            nn.Linear(size, DENSE), nn.LeakyReLU(SLOPE), nn.Linear(DENSE, 1)
        )

    def forward(self, x):
        features = self.down(x)
        return features, self.logit(features)


def convolutions(before, count, number, stride=1):
    layers = []
    for _ in range(number):
        layers += [nn.Conv2d(before, count, 3, stride, 1), nn.ReLU()]
        before = count
    return nn.Sequential(*layers)


def unet_sides(case):
    """The sides of the U-Net's maps; below 7 pixels there are none."""
    return [side for side in case.sides if side >= 7]


class UNetEncoder(nn.Module):
    """To z, the maps of each size, and the picture itself."""

    def __init__(self, case):
        super().__init__()
        self.levels, before = nn.ModuleList(), case.shape[-1]
        for number, count in enumerate(case.filters):
            level = nn.Sequential()
            if number:
                level.append(convolutions(before, count, 1, stride=2))
                before = count
            level.append(convolutions(before, count, UNET_BLOCKS))
            self.levels.append(level)
            before = count
        size = before * unet_sides(case)[-1] ** 2
        self.z = nn.Sequential(nn.Flatten(), nn.Linear(size, LATENT))

    def forward(self, picture):
        x, maps = picture, []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return [self.z(x), *maps, picture]


class UNetDecoder(nn.Module):
    def __init__(self, case):
        super().__init__()
        counts, side = case.filters, unet_sides(case)[-1]
        top = (counts[-1], side, side)
        self.top = nn.Sequential(
            nn.Linear(LATENT, counts[-1] * side * side), nn.Unflatten(1, top)
        )
        self.ups, self.levels = nn.ModuleList(), nn.ModuleList()
        for count, less in zip(counts[::-1], counts[-2::-1]):
            self.ups.append(
                nn.Sequential(
                    convolutions(count, less, 1), nn.Upsample(None, 2)
                )
            )
            self.levels.append(convolutions(2 * less, less, UNET_BLOCKS))
        channels = case.shape[-1]
        self.end = nn.Conv2d(counts[0] + channels, channels, 3, 1, 1)

    def forward(self, code):
        z, *maps, noisy = code
        x = torch.relu(self.top(z) + maps[-1])
        for up, level, skip in zip(self.ups, self.levels, maps[-2::-1]):
            x = level(torch.cat([up(x), skip], 1))
        return torch.sigmoid(self.end(torch.cat([x, noisy], 1)))
