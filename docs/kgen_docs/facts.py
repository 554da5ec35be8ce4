"""Metrics, and the signatures of exports, as the code has them."""

import tensorflow as tf

import kgen
from kgen import registry
from kgen.evaluation import measures
from kgen_docs.markdown import table

_BETTER = {"lower": "lower", "higher": "higher", "near:1": "near 1", None: ""}


def metrics() -> str:
    """A table of all metrics of `kgen evaluate`."""
    rows = [
        (
            f"`{name}`",
            metric.title,
            metric.unit,
            _BETTER[metric.better],
            metric.reading,
        )
        for group in measures.GROUPS
        for name, metric in group.metrics.items()
    ]
    return table(("name", "title", "unit", "better", "how to read it"), rows)


def signatures() -> str:
    """For each model a table of its export's signatures, by building one."""
    return "\n\n".join(
        f"## {name}\n\n{table(('signature', 'from', 'to'), signatures_of(name))}"
        for name in registry.MODELS
    )


def signatures_of(name: str) -> list[tuple[str, str, str]]:
    """Rows of a small model's signatures: name, inputs and outputs.

    Args:
        name: A model's name.
    """
    needs_labels = registry.MODELS[name].model_class.needs_labels
    model = kgen.create_model(
        name,
        input_shape=(8, 8, 1),
        network="dense",
        hidden_units=(4,),
        latent_dim=2,
        num_classes=3 if needs_labels else None,
    )
    model.compile()
    rows = []
    for signature, (function, specs) in model.endpoints().items():
        graph = tf.function(function).get_concrete_function(*specs)
        rows.append(
            (
                f"`{signature}`",
                _listed({spec.name: spec for spec in specs}),
                _listed(graph.structured_outputs),
            )
        )
    return rows


def _listed(specs):
    return "<br>".join(
        f"`{name}`: {spec.dtype.name} {_shape(spec.shape)}"
        for name, spec in specs.items()
    )


def _shape(shape):
    return (
        "("
        + ", ".join("n" if side is None else str(side) for side in shape)
        + ")"
    )
