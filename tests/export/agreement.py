"""An export's signatures answer as the model's methods in Python do."""

import numpy as np

CLASSES = 3
BATCHES = (1, 7, 256)
# How the scores of a VAE with a threshold are computed.
SCORED = {"num_samples": 5, "seed": 3}


def inputs_for(model, signature, count, seed=0):
    """Random inputs of a signature of the model."""
    draws = np.random.default_rng([count, seed])
    values = {
        "images": draws.random((count, 8, 8, 1), "float32"),
        "z": draws.normal(size=(count, getattr(model, "latent_dim", 3))).astype(
            "float32"
        ),
        "labels": draws.integers(0, CLASSES, count).astype("int32"),
        "num_samples": np.int32(count),
        "seed": np.int32(seed),
    }
    specs = model.endpoints()[signature][1]
    return {spec.name: values[spec.name] for spec in specs}


def by_python(model, signature, inputs):
    """What the model's public methods give."""
    labels = inputs.get("labels")
    x = inputs.get("images")
    pair = x if labels is None else [x, labels]
    if signature == "serving_default" and "z" in inputs:
        z = inputs["z"]
        pair = z if labels is None else [z, labels]
        return {"images": model.predict(pair, verbose=0)}
    if signature == "serving_default" and hasattr(model, "log_joint"):
        return {"probabilities": model.predict(x, verbose=0)}
    if signature == "encode" and hasattr(model, "posterior"):
        found = dict(zip(("mean", "log_var"), model.posterior(pair)))
        if model.posterior_flow is not None:
            found["z"] = model.encode(pair)
        return found
    if signature == "outlier_score":
        pair = x if model.needs_labels else pair
        found = {"outlier_score": model.outlier_score(pair)}
        if model.threshold is not None:
            found = {
                "outlier_score": model.outlier_score(pair, **SCORED),
                "is_outlier": model.is_outlier(pair),
            }
        return found
    name, call = {
        "serving_default": ("images", lambda: model.reconstruct(pair)),
        "denoise": ("images", lambda: model.denoise(pair)),
        "encode": ("z", lambda: model.encode(pair)),
        "decode": ("images", lambda: model.decode(inputs["z"], labels)),
        "discriminate": ("logits", lambda: model.discriminate(pair)),
        "log_joint": ("log_joint", lambda: model.log_joint(x)),
        "sample": (
            "images",
            lambda: model.sample(
                int(inputs["num_samples"]), labels, int(inputs["seed"])
            ),
        ),
    }[signature]
    return {name: call()}


def check_agreement(model, served, batches=BATCHES):
    """Each signature of an export against Python, for batches of these sizes."""
    assert set(served.signatures) == set(model.endpoints())
    for signature in served.signatures:
        for count in batches:
            inputs = inputs_for(model, signature, count)
            expected = by_python(model, signature, inputs)
            found = served(signature, **inputs)
            assert set(found) == set(expected)
            for name, value in expected.items():
                spread = np.ptp(value.astype("float64"))
                # One answer in seven may be no outlier.
                varied = spread > 1e-4 or (name == "is_outlier" and count < 256)
                assert count == 1 or varied, (signature, name)
                np.testing.assert_allclose(
                    *(found[name], value),
                    rtol=1e-5,
                    atol=1e-5,
                    err_msg=f"{signature} {name} {count}",
                )
