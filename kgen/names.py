"""Names that users type, for the command line: no TensorFlow import here."""

MODELS = {"vae": "variational autoencoder"}
NETWORKS = {
    "dense": "fully connected, for vectors and pictures",
    "conv": "convolutional, for pictures of any size",
}
SOURCES = {
    "digits": "the UCI digits, 8x8, built in (the default)",
    "NAME": "any TensorFlow Datasets name, such as mnist",
    "FOLDER": "pictures (png, jpg, bmp, gif), or MNIST's IDX files",
    "FILE": ".npy or .npz",
}
