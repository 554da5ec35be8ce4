"""Every public name is documented, and its docstring tells the truth."""

import ast
import importlib
import inspect
import pathlib
import re

import pytest

import kgen

ROOT = pathlib.Path(kgen.__file__).parent
MODULES = [
    name
    for name in dir(kgen)
    if inspect.ismodule(getattr(kgen, name)) and name in kgen.__all__
]


def public_objects():
    """Pairs of a dotted name and what it names."""
    found = {}
    for module_name in MODULES:
        module = getattr(kgen, module_name)
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and getattr(value, "__module__", None) == module.__name__
        ]
        for name in names:
            value = getattr(module, name)
            if not inspect.ismodule(value):
                found[f"{module_name}.{name}"] = value
            else:
                for inner, function in vars(value).items():
                    if (
                        inspect.isfunction(function)
                        and inner[0] != "_"
                        and (function.__module__ == value.__name__)
                    ):
                        found[f"{module_name}.{name}.{inner}"] = function
    return found


PUBLIC = public_objects()


def own_methods(cls):
    """Public methods that kgen documents on a class."""
    return {
        name: value
        for base in cls.__mro__
        if base.__module__.startswith("kgen")
        for name, value in vars(base).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }


def documented_arguments(docstring):
    """The names under `Args:`."""
    match = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", docstring, re.M | re.S)
    if not match:
        return None
    return re.findall(r"^    \**(\w+):", match[1], re.M)


def check_arguments(function, docstring, name):
    documented = documented_arguments(inspect.cleandoc(docstring))
    if documented is None:
        return
    parameters = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("self", "cls")
        and not (parameter.name == "kwargs" and inspect.isclass(function))
    ]
    assert documented == [p for p in parameters if p in documented], name
    missing = set(parameters) - set(documented) - {"kwargs", "args"}
    assert not missing, f"{name} does not document {missing}"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring_agrees_with_the_signature(name):
    value = PUBLIC[name]
    if not callable(value):
        return
    assert value.__doc__, f"{name} has no docstring"
    check_arguments(value, value.__doc__, name)
    if inspect.isclass(value):
        for method, function in own_methods(value).items():
            if function.__doc__:
                check_arguments(function, function.__doc__, f"{name}.{method}")


def test_all_names_resolve():
    for name in kgen.__all__:
        assert getattr(kgen, name) is not None
    assert kgen.VAE is kgen.models.VAE


def test_every_module_of_the_package_has_a_docstring():
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        assert importlib.import_module(name).__doc__, name


def public_functions(tree):
    """The functions of a module without an underscore, and those of classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name[0] != "_":
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef):
            if node.name[0] != "_" or node.name == "__init__":
                yield node


def unannotated(function):
    """The names of arguments without an annotation, and `return`."""
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    arguments += [given.vararg, given.kwarg]
    for argument in filter(None, arguments):
        if argument.annotation is None and argument.arg not in ("self", "cls"):
            yield argument.arg
    if function.returns is None and function.name != "__init__":
        yield "return"


def test_public_functions_are_annotated():
    """mypy asks for it of all functions, or of none."""
    missing = [
        f"{path.relative_to(ROOT)}: {argument} of {function.name}"
        for path in sorted(ROOT.rglob("*.py"))
        for function in public_functions(ast.parse(path.read_text()))
        for argument in unannotated(function)
    ]
    assert not missing


def test_the_example_of_the_design_runs(tmp_path):
    train, test = kgen.data.load(
        "digits",
        split=("train", "test"),
        batch_size=128,
        data_dir=tmp_path / "data",
    )
    vae = kgen.create_model(
        "vae", input_shape=(8, 8, 1), network="conv", latent_dim=8
    )
    vae.compile(optimizer="adam")
    vae.fit(train, validation_data=test, epochs=1, verbose=0)
    assert vae.sample(16, seed=0).shape == (16, 8, 8, 1)
    x = next(iter(test))
    assert vae.reconstruct(x).shape == x.shape
    assert vae.encode(x).shape == (128, 8)
    assert vae.log_likelihood(x, num_samples=5).shape == (128,)
    vae.save(tmp_path / "vae.keras")
    vae.export(tmp_path / "saved_models" / "vae" / "1")
    with pytest.raises(FileExistsError):
        vae.export(tmp_path / "saved_models" / "vae" / "1")


def test_no_two_classes_are_registered_by_one_name():
    """Keras lets the second one take the first one's place, in silence."""
    found = {}
    for path in ROOT.rglob("*.py"):
        for name in re.findall(
            r'register_keras_serializable\(package="kgen"\)\nclass (\w+)',
            path.read_text(),
        ):
            assert name not in found, (path, found[name])
            found[name] = path
    assert "VAE" in found
