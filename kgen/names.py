"""Names that users type, for the command line: no TensorFlow import here."""

MODELS = {
    "autoencoder": "fewer dimensions, and back",
    "denoising_autoencoder": "pictures without their noise",
    "vae": "variational autoencoder",
}
NETWORKS = {
    "dense": "fully connected, for vectors and pictures",
    "conv": "convolutional, for pictures of any size",
    "unet": "convolutional with skip connections, to denoise",
}
SOURCES = {
    "digits": "the UCI digits, 8x8, built in (the default)",
    "NAME": "any TensorFlow Datasets name, such as mnist",
    "FOLDER": "pictures (png, jpg, bmp, gif), or MNIST's IDX files",
    "FILE": ".npy or .npz",
}
