"""The output layer of language models: which weights it has, by the config of its family."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from bertie.nn.config import EncoderConfig
from bertie.nn.language_head import LanguageHead
from bertie.nn.layers import ACTIVATIONS
from bertie.nn.translation import read_config, write_config
from tests.tuning.encoders import KINDS, SMALL

ALL = {"dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"}


def config_of(family: str, **more: object) -> EncoderConfig:
    return read_config({"model_type": family, **SMALL, **more})


@pytest.mark.parametrize(
    ("switches", "without"),
    [
        ({}, {"dense.bias", "norm.bias"}),
        ({"classifier_bias": True}, {"norm.bias"}),
        ({"norm_bias": True}, {"dense.bias"}),
        ({"classifier_bias": True, "norm_bias": True}, set()),
    ],
)
def test_modernberts_has_the_biases_of_its_config(switches: dict[str, bool], without: set[str]) -> None:
    config = config_of("modernbert", **switches)
    assert set(LanguageHead(config).state_dict()) == ALL - without
    assert read_config(write_config(config)) == config


@pytest.mark.parametrize("family", [kind for kind in KINDS if kind != "modernbert"])
def test_all_others_have_all(family: str) -> None:
    assert set(LanguageHead(config_of(family)).state_dict()) == ALL


@pytest.mark.parametrize("family", ["roberta", "electra"])
def test_where_the_family_has_gelu_it_is_not_the_bodys(family: str) -> None:
    assert LanguageHead(config_of(family, hidden_act="relu")).activation is ACTIVATIONS["gelu"]
    assert LanguageHead(config_of("bert", hidden_act="relu")).activation is ACTIVATIONS["relu"]


def test_modernberts_non_linearity_has_a_key_of_its_own() -> None:
    config = config_of("modernbert", hidden_activation="relu", classifier_activation="gelu_new")
    assert (config.activation, config.language_activation) == ("relu", "gelu_tanh")
    assert write_config(config)["classifier_activation"] == "gelu_new"
    assert read_config(write_config(config)) == config


def test_a_bundle_that_was_written_with_all_biases_is_read_with_them() -> None:
    shape = asdict(config_of("modernbert"))
    del shape["language_dense_bias"], shape["language_norm_bias"], shape["language_activation"]
    head = LanguageHead(EncoderConfig(**shape | {"activation": "relu"}))
    assert set(head.state_dict()) == ALL and head.activation is ACTIVATIONS["relu"]
