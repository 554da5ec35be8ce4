"""`kgen fit-prior`: what a trained model samples from."""

import click

from kgen.cli import options
from kgen.cli.startup import start_tensorflow


@click.command("fit-prior")
@click.argument("run", type=click.Path())
@click.option(
    "--prior",
    default="mixture:10",
    callback=options.none_as_nothing,
    show_default=True,
    help="gaussian, one Gaussian; mixture:10, as many Gaussians with full "
    "covariances; flow:4, a normalising flow of as many coupling layers; or none, "
    "to go back to the model as it was trained.",
)
def fit_prior(run: str, prior: str | None) -> None:
    """Fits a density to the codes of RUN's training examples.

    From then on its model samples from that density: an autoencoder can sample
    by it, and samples of a VAE become better where its codes are not distributed
    as its prior. RUN's model.keras and pictures are written anew; weights of the
    networks stay as they are. Export it again to serve it.
    """
    start_tensorflow()
    from kgen.runs import Run
    from kgen.runs import fit_prior as fitting

    run = Run(run)
    fitting.fit(run, prior)
    state = f"with the prior {prior}" if prior else "as it was trained"
    click.echo(f"Wrote {run.model_file}, {state}, and its pictures.")
