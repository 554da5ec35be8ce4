"""The networks of speed_tf.py: Keras's own layers, by hand.

networks_of(CASES["gan"])
"""

import keras
from keras import layers
from speed_cases import (
    BN_EPSILON,
    BN_MOMENTUM,
    DENSE,
    HIDDEN,
    LATENT,
    SLOPE,
    UNET_BLOCKS,
)


def networks_of(case):
    """Dictionary of the networks of a case, by kgen's names for them."""
    if case.network == "dense":
        return {"encoder": dense_encoder(case), "decoder": dense_decoder(case)}
    if case.network == "unet":
        return {"encoder": unet_encoder(case), "decoder": unet_decoder(case)}
    if case.model == "gan":
        return {
            "generator": grown(case, "sigmoid", normalised=True),
            "discriminator": discriminator(case),
        }
    activation = "sigmoid" if case.model == "vaegan" else None
    networks = {
        "encoder": conv_encoder(case),
        "decoder": grown(case, activation),
    }
    if case.model == "vaegan":
        networks["discriminator"] = discriminator(case, with_features=True)
    return networks


def dense_encoder(case):
    """To the mean and the logarithm of the variance, side by side."""
    return keras.Sequential(
        [
            keras.Input(case.shape),
            layers.Flatten(),
            layers.Dense(HIDDEN, "relu"),
            layers.Dense(2 * LATENT),
        ]
    )


def dense_decoder(case):
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(HIDDEN, "relu"),
            layers.Dense(case.pixels),
            layers.Reshape(case.shape),
        ]
    )


def conv_encoder(case):
    down = [
        layers.Conv2D(count, 3, 2, "same", activation="relu")
        for count in case.filters
    ]
    return keras.Sequential(
        [
            keras.Input(case.shape),
            *down,
            layers.Flatten(),
            layers.Dense(DENSE, "relu"),
            layers.Dense(2 * LATENT),
        ]
    )


def grown(case, activation, normalised=False):
    """From z to pictures: a decoder, or with normalisation a generator."""
    network = keras.Sequential([keras.Input((LATENT,))])

    def add(*some):
        for layer in some:
            network.add(layer)
        if normalised:
            network.add(
                layers.BatchNormalization(
                    momentum=BN_MOMENTUM, epsilon=BN_EPSILON
                )
            )
        network.add(layers.ReLU())

    top = (case.sides[-1], case.sides[-1], case.filters[-1])
    add(layers.Dense(DENSE, use_bias=not normalised))
    add(
        layers.Dense(top[0] * top[1] * top[2], use_bias=not normalised),
        layers.Reshape(top),
    )
    counts = case.filters[-2::-1]
    sides = case.sides[::-1]
    for count, side, after in zip(counts, sides, sides[1:]):
        add(doubled(count, side, after, use_bias=not normalised))
    network.add(
        doubled(case.shape[-1], sides[-2], sides[-1], activation=activation)
    )
    return network


def doubled(count, side, after, **kwargs):
    odd = after < 2 * side
    return layers.Conv2DTranspose(
        count, 4, 2, "same", output_padding=1 if odd else None, **kwargs
    )


def discriminator(case, with_features=False):
    """To the logit; or to the last maps and the logit."""
    inputs = x = keras.Input(case.shape)
    for count in case.filters:
        x = layers.Conv2D(count, 4, 2, "same")(x)
        x = layers.LeakyReLU(SLOPE)(x)
    features = layers.Flatten()(x)
    x = layers.LeakyReLU(SLOPE)(layers.Dense(DENSE)(features))
    logit = layers.Dense(1)(x)
    outputs = [features, logit] if with_features else logit
    return keras.Model(inputs, outputs)


def conv(count, strides=1):
    return layers.Conv2D(count, 3, strides, "same", activation="relu")


def unet_sizes(case):
    """The sides of the U-Net's maps; below 7 pixels there are none."""
    return [side for side in case.sides if side >= 7]


def unet_encoder(case):
    """To z, the maps of each size, and the picture itself."""
    inputs = x = keras.Input(case.shape)
    maps = []
    for number, count in enumerate(case.filters):
        if number:
            x = conv(count, strides=2)(x)
        for _ in range(UNET_BLOCKS):
            x = conv(count)(x)
        maps.append(x)
    z = layers.Dense(LATENT)(layers.Flatten()(x))
    return keras.Model(inputs, [z, *maps, inputs])


def unet_decoder(case):
    counts = case.filters
    sides = unet_sizes(case)
    z = keras.Input((LATENT,))
    maps = [
        keras.Input((side, side, count)) for side, count in zip(sides, counts)
    ]
    noisy = keras.Input(case.shape)
    top = (sides[-1], sides[-1], counts[-1])
    x = layers.Reshape(top)(layers.Dense(top[0] * top[1] * top[2])(z))
    x = layers.ReLU()(x + maps[-1])
    for count, skip in zip(counts[-2::-1], maps[-2::-1]):
        x = layers.UpSampling2D(2)(conv(count)(x))
        x = layers.Concatenate()([x, skip])
        for _ in range(UNET_BLOCKS):
            x = conv(count)(x)
    x = layers.Concatenate()([x, noisy])
    x = layers.Conv2D(case.shape[-1], 3, 1, "same", activation="sigmoid")(x)
    return keras.Model([z, *maps, noisy], x)
