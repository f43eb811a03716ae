"""Loading and saving checkpoints: what is read, what is refused, what is reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bertie.core.errors import ModelError
from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.families import FAMILIES
from bertie.nn.translation import foreign_name, read_config

TINY = EncoderConfig(vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=24, max_positions=20)
IDS = torch.arange(1, 8)[None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    checkpoint.save(Encoder(TINY), tmp_path)
    return tmp_path


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder: Path, add: dict[str, torch.Tensor] | None = None, drop: str | None = None) -> None:
    tensors = load_file(folder / "model.safetensors") | (add or {})
    tensors.pop(drop or "", None)
    save_file(tensors, folder / "model.safetensors")


def test_what_is_saved_is_what_is_loaded(folder: Path) -> None:
    loaded = checkpoint.load(folder)
    torch.manual_seed(0)
    original = Encoder(TINY).state_dict()
    assert loaded.encoder.config == TINY
    assert loaded.report == checkpoint.LoadReport()
    for name, tensor in loaded.encoder.state_dict().items():
        assert torch.equal(tensor, original[name]), name
    assert all(parameter.requires_grad for parameter in loaded.encoder.parameters())


def test_the_fingerprint_is_that_of_the_weights(folder: Path, tmp_path: Path) -> None:
    encoder = checkpoint.load(folder).encoder
    before = checkpoint.fingerprint(encoder)
    checkpoint.save(encoder, tmp_path / "again")
    again = checkpoint.load(tmp_path / "again").encoder
    assert checkpoint.fingerprint(again) == before
    with torch.no_grad():
        again.embeddings.word_embeddings.weight[3, 2] += 1e-4
    assert checkpoint.fingerprint(again) != before


def test_missing_weights_are_named(folder: Path) -> None:
    edit_weights(folder, drop="encoder.layer.1.output.dense.bias")
    with pytest.raises(ModelError, match=r"weights missing: layers\.1\.feed_forward\.output\.bias"):
        checkpoint.load(folder)


def test_unknown_weights_are_reported_and_heads_come_back(folder: Path) -> None:
    strange = {"rotor.weight": torch.ones(2), "bert.pooler.rotor.bias": torch.ones(16)}
    known = {
        "classifier.weight": torch.ones(3, 16),
        "cls.predictions.bias": torch.ones(50),
        "cls.predictions.decoder.weight": torch.ones(50, 16),
    }
    edit_weights(folder, add=strange | known)
    loaded = checkpoint.load(folder)
    assert set(loaded.report.unknown) == set(strange)
    assert loaded.report.dropped == ("cls.predictions.decoder.weight",)
    assert set(loaded.heads) == {"classifier.weight", "masked_lm.bias"}


def test_a_language_head_that_is_not_tied_to_the_word_vectors_is_none_of_ours(folder: Path) -> None:
    edit_weights(folder, add={"classifier.weight": torch.ones(3, 16), "cls.predictions.bias": torch.ones(50)})
    edit_config(folder, tie_word_embeddings=True)
    assert set(checkpoint.load(folder).heads) == {"classifier.weight", "masked_lm.bias"}
    edit_config(folder, tie_word_embeddings=False)
    assert set(checkpoint.load(folder).heads) == {"classifier.weight"}


def test_layers_beyond_the_config_are_refused(folder: Path) -> None:
    edit_config(folder, num_hidden_layers=1)
    with pytest.raises(ModelError, match=r"encoder\.layer\.1\..* no place; .*correct config\.json"):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layer.0.rotor.weight",
        "bert.encoder.layer.7.output.dense.bias",
        "encoder.relative_attention_bias.weight",
        "embeddings.task_type_embeddings.weight",
    ],
)
def test_strange_weights_inside_the_encoder_are_refused(folder: Path, name: str) -> None:
    edit_weights(folder, add={name: torch.ones(16)})
    with pytest.raises(ModelError, match=f"holds {name}, for which its config.json has no place"):
        checkpoint.load(folder)


def test_the_task_types_of_ernie_are_read_or_refused(tmp_path: Path) -> None:
    checkpoint.save(Encoder(replace(TINY, family="ernie", task_type_vocab_size=3)), tmp_path)
    assert checkpoint.load(tmp_path).encoder.config.task_type_vocab_size == 3
    edit_config(tmp_path, use_task_id=False)
    with pytest.raises(ModelError, match=r"task_type_embeddings\.weight, for which"):
        checkpoint.load(tmp_path)


def test_a_tokenizer_with_more_pieces_than_word_vectors_is_refused(folder: Path) -> None:
    encoder = checkpoint.load(folder).encoder
    checkpoint.refuse_pieces(encoder, 49, folder)
    checkpoint.refuse_pieces(encoder, 50, folder)
    with pytest.raises(ModelError, match=r"tokenizer has 51 pieces, its encoder word vectors for 50; .*its own tok"):
        checkpoint.refuse_pieces(encoder, 51, folder)


def test_wrong_shapes_are_named(folder: Path) -> None:
    edit_config(folder, intermediate_size=32)
    with pytest.raises(ModelError, match=r"intermediate\.dense\.weight is \(24, 16\), expected \(32, 16\)"):
        checkpoint.load(folder)


def test_prefixes_and_old_parameter_names_are_understood(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    old = {
        "bert."
        + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    expected = checkpoint.load(folder).encoder(IDS)
    save_file(old, folder / "model.safetensors")
    loaded = checkpoint.load(folder)
    assert loaded.report.unknown == ()
    torch.testing.assert_close(loaded.encoder(IDS), expected)


def test_half_precision_files_become_fp32(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "model.safetensors")
    assert {tensor.dtype for tensor in checkpoint.load(folder).encoder.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused(folder: Path, dtype: torch.dtype) -> None:
    name = "encoder.layer.0.attention.self.query.weight"
    codes = torch.ones(16, 16).to(dtype)
    edit_weights(folder, add={name: codes, name.replace("weight", "SCB"): torch.ones(16)})
    with pytest.raises(ModelError, match=r"query\.weight is .*8.*, expected float32.* not quantised"):
        checkpoint.load(folder)


def test_a_config_of_quantised_weights_is_refused(folder: Path) -> None:
    edit_config(folder, quantization_config=None)
    assert checkpoint.load(folder).encoder.config == TINY
    edit_config(folder, quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})
    with pytest.raises(ModelError, match=r"config\.json: has a quantization_config.* not quantised"):
        checkpoint.load(folder)


def test_shards_are_read(folder: Path) -> None:
    expected = checkpoint.load(folder).encoder(IDS)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    half = sorted(tensors)[::2]
    files = {name: "a.safetensors" if name in half else "b.safetensors" for name in tensors}
    for file in ("a.safetensors", "b.safetensors"):
        save_file({name: tensors[name] for name in tensors if files[name] == file}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": files}))
    torch.testing.assert_close(checkpoint.load(folder).encoder(IDS), expected)
    index.write_text(json.dumps({"weight_map": {"x": "../elsewhere.safetensors"}}))
    with pytest.raises(ModelError, match="elsewhere"):
        checkpoint.load(folder)


def test_a_pickle_is_refused_unless_asked_for(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"AutoModel\.from_pretrained\(MODEL\)\.save_pretrained\(FOLDER\)"):
        checkpoint.load(folder)
    assert checkpoint.load(folder, allow_pickle=True).encoder.config == TINY


def test_a_pickle_that_runs_code_is_refused_even_then(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("ran",)

    (folder / "model.safetensors").unlink()
    torch.save({"x": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pytorch_model"):
        checkpoint.load(folder, allow_pickle=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 10**9}, "hidden_size is 1000000000"),
        ({"num_hidden_layers": 10**6}, "layers is 1000000"),
        ({"vocab_size": "many"}, "vocab_size is 'many'"),
        ({"num_attention_heads": 5}, "not a multiple of 5 heads"),
        ({"hidden_act": "__import__"}, "activation is '__import__'"),
        ({"model_type": "llama"}, "'llama', expected one of bert, roberta"),
        ({"model_type": ["bert"]}, "model_type is"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"hidden_dropout_prob": "lots"}, "dropout is 'lots'"),
    ],
)
def test_hostile_configs_are_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    edit_config(folder, **changes)
    with pytest.raises(ModelError, match=message):
        checkpoint.load(folder)


def test_code_named_in_a_config_is_ignored(folder: Path) -> None:
    edit_config(folder, auto_map={"AutoModel": "evil.Model"}, architectures=["os.system"])
    (folder / "evil.py").write_text("raise SystemExit")
    assert checkpoint.load(folder).report.unknown == ()


@pytest.mark.parametrize("content", ["", "[]", "{", "\ud800".encode("utf-8", "surrogatepass"), "[" * 100_000])
def test_broken_configs_are_named(folder: Path, content: str | bytes) -> None:
    path = folder / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModelError, match=r"config\.json"):
        checkpoint.load(folder)


def test_broken_and_missing_weights_are_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="not a readable safetensors"):
        checkpoint.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no model\.safetensors found"):
        checkpoint.load(folder)
    with pytest.raises(ModelError, match="not found"):
        checkpoint.load(folder / "nowhere")


def test_a_failed_save_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "model.safetensors").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(Encoder(TINY), folder)
    assert (folder / "model.safetensors").read_bytes() == before
    assert not list(folder.glob("*.partial"))


def test_weights_without_a_name_are_not_lost_silently(tmp_path: Path) -> None:
    encoder = Encoder(TINY)
    encoder.layers[0].attention.register_parameter("adapter", torch.nn.Parameter(torch.ones(2)))
    with pytest.raises(ModelError, match=r"layers\.0\.attention\.adapter"):
        checkpoint.save(encoder, tmp_path)


def test_names_go_both_ways_for_adapters() -> None:
    name = foreign_name(FAMILIES["bert"], "layers.3.attention.query.weight")
    assert name == "encoder.layer.3.attention.self.query.weight"
    assert foreign_name(FAMILIES["modernbert"], "layers.3.attention.query.weight") is None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_familys_defaults_are_a_config(family: str) -> None:
    assert read_config({"model_type": family}).family == family


def test_modernberts_new_keys_are_read() -> None:
    config = read_config(
        {
            "model_type": "modernbert",
            "num_hidden_layers": 4,
            "layer_types": ["full_attention", "sliding_attention"] * 2,
            "rope_parameters": {"full_attention": {"rope_theta": 5.0}, "sliding_attention": {"rope_theta": 7.0}},
        }
    )
    assert (config.global_every, config.rope_theta_global, config.rope_theta_local) == (2, 5.0, 7.0)
    with pytest.raises(ModelError, match="layer_types"):
        read_config({"model_type": "modernbert", "layer_types": ["sliding_attention", "full_attention"]})
    kept = read_config({"model_type": "modernbert", "rope_parameters": {"full_attention": None}})
    assert (kept.rope_theta_global, kept.rope_theta_local) == (160_000.0, 10_000.0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "full_attention.rope_type is 'yarn'"),
        ({"rope_parameters": {"full_attention": "default"}}, "rope_parameters is .*'default'.*, expected null"),
        ({"rope_parameters": {"sliding_attention": {"type": "linear"}}}, "sliding_attention.rope_type is 'linear'"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, "rope_parameters is .*'linear'.*, expected null"),
        ({"rope_parameters": {"rope_theta": 10_000.0}}, "an object for each of full_attention and sliding_attention"),
        ({"rope_parameters": ["full_attention"]}, "rope_parameters is .*, expected null"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "rope_scaling is .*'yarn'"),
    ],
)
def test_rotary_positions_that_we_would_compute_otherwise_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_config({"model_type": "modernbert", **keys})


def test_a_local_base_of_null_is_the_global_one() -> None:
    assert read_config({"model_type": "modernbert"}).rope_theta_local == 10_000.0
    null = {"model_type": "modernbert", "local_rope_theta": None, "rope_scaling": None, "rope_parameters": None}
    assert read_config(null).rope_theta_local == 160_000.0
    assert read_config(null | {"global_rope_theta": 5.0}).rope_theta_local == 5.0
