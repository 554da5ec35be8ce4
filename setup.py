"""kgen's package metadata."""

import pathlib
import re

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (ROOT / "kgen" / "__init__.py").read_text(),
    re.MULTILINE,
)[1]

setup(
    name="kgen",
    version=VERSION,
    description="Generative models in Keras: train, judge, tune and export.",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="kgen contributors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="generative models, autoencoder, VAE, GAN, VAE-GAN, Keras",
    python_requires=">=3.11",
    packages=find_packages(include=["kgen", "kgen.*"]),
    package_data={
        "kgen": ["py.typed", "__init__.pyi"],
        "kgen.runs": ["__init__.pyi"],
        "kgen.runs.report": ["style.css"],
    },
    install_requires=[
        "click>=8.2",
        "importlib_resources>=6.0",  # tensorflow-datasets 4.9.10 needs it
        "keras>=3.15",
        "keras-tuner>=1.4.8",
        "lazy_loader>=0.4",
        "matplotlib>=3.9",
        "numpy>=2.0",
        "pandas>=2.2.2",  # the first one for NumPy 2
        "pillow>=12.3",  # older ones have faults that a picture can use
        "rich>=13.7",  # Keras needs it, too
        "scikit-learn>=1.8",
        "scipy>=1.14",
        "tensorboard>=2.20",
        "tensorflow>=2.21",
        "tensorflow-datasets>=4.9.10",
        "tensorflow-serving-api>=2.21",
        "threadpoolctl>=3.5",  # scikit-learn needs it, too
    ],
    extras_require={
        "docs": [
            "ipykernel>=7.4",
            "latex2mathml>=3.81",
            "mkdocs>=1.6.1,<2",
            "mkdocs-material>=9.8",
            "mkdocstrings-python>=2.0.11",
            "nbclient>=0.11",
            "nbformat>=5.11",
        ],
        "gpu": ["tensorflow[and-cuda]>=2.21"],
        "mlflow": ["mlflow>=3.0"],
        "onnx": ["onnxruntime>=1.20", "tf2onnx>=1.17"],
        "parquet": ["pyarrow>=16"],
        "test": [
            "hypothesis>=6.100",
            "playwright>=1.65",  # drives the Chromium that is installed
            "pytest>=8",
            "pytest-xdist>=3.6.1",
            "setuptools>=77",  # builds the wheel
        ],
        "wandb": ["wandb>=0.19"],
    },
    entry_points={"console_scripts": ["kgen = kgen.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
