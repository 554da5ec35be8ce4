"""A study in TensorBoard's HParams tab, as its own backend reads it."""

import tomllib
import types

import pytest
from google.protobuf import json_format
from tensorboard import context
from tensorboard.backend.event_processing import (
    data_provider,
    plugin_event_multiplexer,
)
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import (
    api_pb2,
    backend_context,
    get_experiment,
    list_session_groups,
)

from kgen import names, studies
from kgen.studies import hparams
from tests.studies import common
from tests.studies.test_trial_plots import results


def shown(logs):
    """What the tab shows: the experiment, and the groups, the best first."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(logs))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(logs))
    backend = backend_context.Context(
        base_plugin.TBContext(data_provider=provider)
    )
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=1000,
        allowed_statuses=[
            api_pb2.STATUS_SUCCESS,
            api_pb2.STATUS_FAILURE,
            api_pb2.STATUS_RUNNING,
            api_pb2.STATUS_UNKNOWN,
        ],
        col_params=[
            api_pb2.ColParams(
                metric=api_pb2.MetricName(tag="val_mse"),
                order=api_pb2.ORDER_ASC,
            )
        ],
    )
    found = [
        handler.run()
        for handler in (
            get_experiment.Handler(
                context.RequestContext(),
                backend,
                "",
                api_pb2.GetExperimentRequest(include_metrics=True),
            ),
            list_session_groups.Handler(
                context.RequestContext(), backend, "", request
            ),
        )
    ]
    experiment, groups = map(json_format.MessageToDict, found)
    return experiment, groups["sessionGroups"]


def write(folder, found):
    hparams.update(types.SimpleNamespace(folder=folder), found)


def test_the_tab_shows_what_the_results_say(tmp_path):
    found = results(5, failed=[3])
    found["trials"][4]["status"], found["trials"][4]["value"] = "running", None
    write(tmp_path, found)
    experiment, groups = shown(tmp_path / "logs")
    (metric,) = experiment["metricInfos"]
    assert metric["name"]["tag"] == "val_mse"
    infos = {one["name"]: one for one in experiment["hparamInfos"]}
    assert infos["log_0.rate"]["domainInterval"] == {
        "minValue": 1e-4,
        "maxValue": 1e-2,
    }
    assert infos["whole_2.rate"]["domainInterval"] == {
        "minValue": 2.0,
        "maxValue": 64.0,
    }
    assert sorted(infos["words_3.rate"]["domainDiscrete"]) == sorted(
        ["relu", "None", "[512, 256]", "gradient_penalty:0.1"]
    )
    by_name = {group["name"]: group for group in groups}
    assert sorted(by_name) == ["trial_0", "trial_1", "trial_2", "trial_3"]
    for trial in found["trials"][:4]:
        group = by_name[f"trial_{trial['trial']}"]
        (session,) = group["sessions"]
        chosen = trial["parameters"]
        for name in list(chosen)[:3]:
            assert group["hparams"][name] == chosen[name]
        words = names.as_typed(chosen["words_3.rate"])
        assert group["hparams"]["words_3.rate"] == words
        if trial["status"] == "failed":
            assert session["status"] == "STATUS_FAILURE"
            assert "metricValues" not in group
        else:
            assert session["status"] == "STATUS_SUCCESS"
            (value,) = group["metricValues"]
            assert value["value"] == trial["value"]


def test_a_parameter_that_a_trial_leaves_out_is_not_shown(tmp_path):
    found = results(2)
    chosen = found["trials"][1]["parameters"]
    del chosen["range_1.rate"]
    write(tmp_path, found)
    _, groups = shown(tmp_path / "logs")
    names = {group["name"]: set(group["hparams"]) for group in groups}
    assert names["trial_1"] == set(chosen)
    assert names["trial_0"] == set(found["space"])


def test_sessions_are_written_once(tmp_path):
    write(tmp_path, results(2))
    before = sorted((tmp_path / "logs").rglob("events*"))
    write(tmp_path, results(3))
    after = sorted((tmp_path / "logs").rglob("events*"))
    assert len(before) == 3 and len(after) == 4 and set(before) < set(after)


@pytest.mark.parametrize(
    "entry, words",
    [
        ('["relu", "gelu"]', ["gelu", "relu"]),
        ("[16, 32]", [16.0, 32.0]),
        ("[0, 0.5]", [0.0, 0.5]),
        ("[[4], [8, 8]]", ["[4]", "[8, 8]"]),
        ('["None", "r1:1"]', ["None", "r1:1"]),
        ("[true, false]", [False, True]),
    ],
)
def test_values_of_all_types_have_a_domain(entry, words):
    values = tomllib.loads(f"x = {entry}")["x"]
    values = [None if value == "None" else value for value in values]
    one = {"values": values}
    assert sorted(hparams._domain(one).values) == words
    assert {hparams._scalar(one, value) for value in values} == set(words)


def test_a_study_that_goes_on_has_one_session_for_each_trial(
    tmp_path, monkeypatch
):
    seen = []

    def figure(settings, seed):
        seen.append(settings["latent_dim"])
        if len(seen) == 3:
            raise KeyboardInterrupt
        if len(seen) == 5:
            raise ValueError("no luck")
        return float(settings["latent_dim"])

    common.at_best(monkeypatch, figure)
    study = common.study(tmp_path, **common.GRID)
    with pytest.raises(KeyboardInterrupt):
        studies.tune(study)
    found = studies.tune(study, resume=True)
    _, groups = shown(study.folder / "logs")
    assert len(groups) == 6
    statuses = [group["sessions"][0]["status"] for group in groups]
    assert statuses.count("STATUS_FAILURE") == 1
    best = groups[0]
    assert best["name"] == f"trial_{found['best']['trial']}"
    assert best["metricValues"][0]["value"] == found["best"]["value"]
    assert best["hparams"] == {"latent_dim": 1.0}
