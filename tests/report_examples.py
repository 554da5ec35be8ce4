"""Evaluations to be reported, as `kgen evaluate` makes them."""

import io

from PIL import Image


def png(width=40, height=30):
    """The bytes of a PNG file."""
    found = io.BytesIO()
    Image.new("L", (width, height), 128).save(found, "PNG")
    return found.getvalue()


def metric(value, standard_error=None, better="lower", **more):
    return {
        "title": "Distance",
        "value": value,
        "standard_error": standard_error,
        "better": better,
        **more,
    }


def evaluation(run="runs/vae-1", **more):
    """One run's, whole."""
    return {
        "run": run,
        "model": "vae",
        "settings": {
            "data": "digits",
            "epochs": 20,
            "options": {"kl_weight": 1.0, "optimizer": "adam:0.001"},
        },
        "versions": {"kgen": "0.1.0", "keras": "3.15.1"},
        "parameters": {"encoder": 12345, "decoder": 2345},
        "data": {"source": "digits", "split": "test", "examples": 360},
        "extractor": {
            "name": "a classifier of digits (test accuracy 0.978)",
            "features": 64,
            "inception": False,
        },
        "num_samples": 10_000,
        "seed": 0,
        "date": "2026-03-14 15:09",
        "seconds": 200.4,
        "metrics": {
            "frechet_distance": metric(
                3.2134,
                0.0961,
                title="Frechet distance",
                floor=0.8123,
                unit="squared units of the features",
                reading="How far the samples are from the data as a whole.",
            ),
            "kid": metric(-0.00012, 0.00034, title="Kernel distance"),
            "active_units": metric(8, better=None, title="Active units"),
        },
        "skipped": {"Diversity (MS-SSIM)": "the pictures are too small"},
        "pictures": [
            {"title": "Samples", "caption": "None chosen.", "file": png()},
            {
                "title": "Reconstructions",
                "caption": "Originals above.",
                "file": png(1500, 200),
                "wide": True,
            },
        ],
        **more,
    }
