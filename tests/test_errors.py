"""The form of the error messages."""

from kgen.errors import InvalidArgument, invalid, unknown_name


def test_the_message_names_all():
    error = invalid("latent_dim", "VAE", "a positive integer", 0)
    assert isinstance(error, InvalidArgument)
    assert isinstance(error, ValueError)
    assert str(error) == (
        "Invalid value for argument `latent_dim` of `VAE`. Expected a positive "
        "integer. Received: latent_dim=0"
    )


def test_an_unknown_name_is_answered_with_the_nearest():
    error = unknown_name("loss", "GAN", ["hinge", "minimax"], "minmax")
    assert "one of 'hinge', 'minimax' (did you mean 'minimax'?)" in str(error)
    assert "did you mean" not in str(unknown_name("loss", "GAN", ["hinge"], 3))
    error = unknown_name(
        "optimizer", "compile", ["adam", "sgd"], "adm:0.001:0.5"
    )
    assert "(did you mean 'adam'?)" in str(error) and "adm:0.001" in str(error)


def test_a_name_that_belongs_elsewhere_is_offered_but_not_listed():
    places = {"latent_dim": "the option --latent-dim"}
    error = unknown_name("--set", "train", ["seed"], "laten_dim", places)
    assert "one of 'seed' (did you mean the option --latent-dim?)" in str(error)
