"""Towers against transformers' own forward passes, on tiny random checkpoints saved and loaded as a user would."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate, normalize
from transformers import CLIPModel, CLIPVisionConfig, CLIPVisionModel

import tiny_models
from feedseg import FeedsegError, FSAFeedback
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.model import open_model
from feedseg.vision.ops import normalised
from feedseg.vision.towers.clip import CLIP_MEAN, ClipTower, resize_positions
from feedseg.weights.modules import build_module


def windows(height: int, width: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def plain_tokens(tower, batch: torch.Tensor) -> torch.Tensor:
    """What the untouched tower says of its patches: CLIP's own attention, residual and feed-forward kept."""
    return project(tower, "clip", batch, keeps_residual=True)


def project(tower, host: str, batch: torch.Tensor, keeps_residual: bool) -> torch.Tensor:
    """The patches of normalised windows by a host alone, (B, N, E)."""
    readout = HOSTS.load(host).read_out(tower.encode(batch), None, keeps_residual)
    return readout.project(readout.attention.attended)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_clip_equals_transformers_at_the_native_size(tmp_path, activation):
    reference = tiny_models.save_clip(tmp_path, activation=activation)
    tower = open_model(tmp_path).tower
    batch = windows(32, 32)
    hidden = reference.vision_model(batch).last_hidden_state[:, 1:]
    expected = reference.visual_projection(reference.vision_model.post_layernorm(hidden))
    torch.testing.assert_close(plain_tokens(tower, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", [24, 40, 56, 80])
def test_clip_equals_transformers_at_other_sizes(tmp_path, side):
    """A transformers model built for that size, whose position table is the resized one."""
    reference = tiny_models.save_clip(tmp_path)
    tower = open_model(tmp_path).tower
    state = reference.vision_model.state_dict()
    grid = (side // 8, side // 8)
    table = "embeddings.position_embedding.weight"
    state[table] = resize_positions(state[table], grid)
    enlarged = CLIPVisionModel(CLIPVisionConfig(**(tiny_models.VISION | {"image_size": side}))).eval()
    enlarged.load_state_dict(state)
    batch = windows(side, side)
    expected = reference.visual_projection(enlarged.post_layernorm(enlarged(batch).last_hidden_state[:, 1:]))
    torch.testing.assert_close(plain_tokens(tower, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("sides", [(16, 72), (64, 24), (8, 8)])
def test_clip_equals_transformers_on_rectangles(tmp_path, sides, monkeypatch):
    """transformers takes rectangles too; only its resizing of the positions is replaced by the reference's."""
    reference = tiny_models.save_clip(tmp_path)
    tower = open_model(tmp_path).tower
    embeddings = reference.vision_model.embeddings
    table = resize_positions(embeddings.position_embedding.weight, (sides[0] // 8, sides[1] // 8))
    monkeypatch.setattr(embeddings, "interpolate_pos_encoding", lambda *_: table[None])
    batch = windows(*sides)
    hidden = reference.vision_model(batch, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
    expected = reference.visual_projection(reference.vision_model.post_layernorm(hidden))
    torch.testing.assert_close(plain_tokens(tower, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("aligned", [False, True])
def test_tapped_blocks_are_transformers_hidden_states(tmp_path, aligned):
    reference = tiny_models.save_aligned(tmp_path) if aligned else tiny_models.save_clip(tmp_path).vision_model
    tower = open_model(tmp_path).tower
    batch = windows(32, 32)
    hidden = reference(batch, output_hidden_states=True).hidden_states  # before each block, and after the last
    output = tower.encode(batch, taps=(1, -2))
    for block, index in ((1, 0), (2, 1), (-2, 1), (3, 2), (-1, 2)):
        torch.testing.assert_close(output.block(block).tokens, hidden[index], atol=1e-5, rtol=1e-4)
    with pytest.raises(FeedsegError, match="block 1 was not tapped"):
        tower.encode(batch).block(1)
    with pytest.raises(FeedsegError, match="blocks 1 to 3"):
        tower.encode(batch, taps=(4,))


def test_a_tapped_blocks_attention_is_transformers(tmp_path):
    from transformers import AutoModel

    tiny_models.save_clip(tmp_path)
    reference = AutoModel.from_pretrained(tmp_path, attn_implementation="eager").vision_model
    batch = windows(32, 32)
    expected = reference(batch, output_attentions=True).attentions
    output = open_model(tmp_path).tower.encode(batch, taps=(1, 2))
    for block in (1, 2, 3):
        torch.testing.assert_close(output.block(block).attention(), expected[block - 1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("aligned", [False, True])
def test_a_tracer_follows_the_tower(tmp_path, aligned):
    """torch.export captures it whole, at the native size and at another."""
    (tiny_models.save_aligned if aligned else tiny_models.save_clip)(tmp_path)
    tower = open_model(tmp_path).tower
    for batch in (windows(32, 32), windows(40, 56)):
        exported = torch.export.export(tower, (batch,), strict=True)
        torch.testing.assert_close(exported.module()(batch), tower(batch))


def test_positions_are_resized_with_the_reference_scale_factor():
    table = torch.randn(1 + 49, 6, generator=torch.Generator().manual_seed(0))
    square = table[1:].reshape(1, 7, 7, 6).permute(0, 3, 1, 2)
    expected = interpolate(square, scale_factor=(5.1 / 7, 12.1 / 7), mode="bicubic", align_corners=False)
    resized = resize_positions(table, (5, 12))
    torch.testing.assert_close(resized[1:], expected.permute(0, 2, 3, 1).reshape(60, 6))
    torch.testing.assert_close(resized[0], table[0])
    assert resize_positions(table, (7, 7)) is table
    by_size = interpolate(square, size=(5, 12), mode="bicubic", align_corners=False)
    assert (by_size - expected).abs().max() > 1e-3  # the two conventions do differ


@pytest.mark.parametrize("native", [7, 14, 16, 24])
def test_positions_fit_every_grid(native):
    table = torch.zeros(1 + native * native, 2)
    for side in range(1, 150):
        assert resize_positions(table, (side, 3)).shape == (1 + 3 * side, 2)


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("sides", [(32, 32), (24, 56)])
def test_aligned_dinov2_equals_transformers(tmp_path, sides, registers):
    reference = tiny_models.save_aligned(tmp_path, registers=registers)
    tower = open_model(tmp_path).tower
    batch = windows(*sides)
    expected = reference(batch).last_hidden_state[:, 1 + registers :]
    features = tower.encode(batch).final_tokens()
    assert features.shape == (2, 32, sides[0] // 8, sides[1] // 8)
    torch.testing.assert_close(features.flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=1e-4)


def test_an_aligned_patch_is_read_without_layerscale_residual_and_feed_forward(tmp_path):
    """The chain of the manifest's documentation, written out with transformers' submodules."""
    reference = tiny_models.save_aligned(tmp_path)
    model = open_model(tmp_path)
    batch = windows(32, 32)
    tokens = reference.embeddings(batch)
    for layer in reference.encoder.layer[:-1]:
        tokens = layer(tokens)
    last = reference.encoder.layer[-1]
    values = last.attention.v_proj(last.norm1(tokens))[:, 1:]
    alignment = load_file(tmp_path / "alignment.safetensors")
    out = torch.nn.functional.layer_norm(
        last.attention.o_proj(values), (32,), alignment["ln_post.weight"], alignment["ln_post.bias"], 1e-6
    )
    found = project(model.tower, "maskclip", batch, keeps_residual=False)
    torch.testing.assert_close(found, out @ alignment["proj"], atol=1e-5, rtol=1e-4)


def test_openclip_layout_gives_the_same_numbers(tmp_path):
    """A CLIP written out in OpenCLIP's names and shapes, loaded through its own configuration file."""
    reference = tiny_models.save_clip(tmp_path / "hf", activation="gelu")
    folder = tmp_path / "openclip"
    folder.mkdir()
    save_file(openclip_names(reference), folder / "open_clip_model.safetensors")
    config = {
        "model_cfg": {
            "embed_dim": 20,
            "vision_cfg": {
                "image_size": 32,
                "layers": 3,
                "width": 32,
                "patch_size": 8,
                "head_width": 8,
                "mlp_ratio": 1.5,
            },
            "text_cfg": {
                "context_length": 24,
                "vocab_size": tiny_models.TEXT["vocab_size"],
                "width": 24,
                "heads": 2,
                "layers": 2,
                "mlp_ratio": 32 / 24,
            },
        },
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    tiny_models.save_tokenizer(folder)
    one, other = open_model(tmp_path / "hf"), open_model(folder)
    batch = windows(40, 24)
    torch.testing.assert_close(plain_tokens(one.tower, batch), plain_tokens(other.tower, batch))
    assert other.tower.mean == (0.5, 0.5, 0.5)
    assert one.tower.mean == CLIP_MEAN
    words = ["cat", "red sofa"]
    torch.testing.assert_close(one.text.embed(words, ["a {}"]), other.text.embed(words, ["a {}"]))


def openclip_folder(folder, extra_weights=None, extra_vision=None):
    """A random OpenCLIP model; extra tensors and settings belong to no plain CLIP."""
    reference = tiny_models.clip(activation="gelu")
    folder.mkdir(exist_ok=True)
    save_file(openclip_names(reference) | (extra_weights or {}), folder / "open_clip_model.safetensors")
    vision = {"image_size": 32, "layers": 3, "width": 32, "patch_size": 8, "head_width": 8, "mlp_ratio": 1.5}
    words = tiny_models.TEXT["vocab_size"]
    text = {"context_length": 24, "vocab_size": words, "width": 24, "heads": 2, "layers": 2, "mlp_ratio": 32 / 24}
    model = {"embed_dim": 20, "vision_cfg": vision | (extra_vision or {}), "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    tiny_models.save_tokenizer(folder)
    return reference


def test_openclip_beside_another_librarys_files(tmp_path):
    """Some repositories keep an image tower of another library under the plain names."""
    reference = openclip_folder(tmp_path)
    save_file({"blocks.0.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"architecture": "vit_base_patch16_clip_224"}')
    batch = windows(32, 32)
    hidden = reference.vision_model(batch).last_hidden_state[:, 1:]
    expected = reference.visual_projection(reference.vision_model.post_layernorm(hidden))
    torch.testing.assert_close(plain_tokens(open_model(tmp_path).tower, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("weights", "vision", "message"),
    [
        ({"visual.transformer.resblocks.0.ls_1.gamma": torch.ones(32)}, {}, r"ls_1\.gamma belongs to no plain CLIP"),
        ({"visual.attn_pool.query": torch.ones(1)}, {}, "attn_pool.query belongs to no plain CLIP"),
        ({}, {"ls_init_value": 0.1}, "sets ls_init_value"),
        ({}, {"timm_model_name": "convnext"}, "sets timm_model_name"),
    ],
)
def test_openclip_of_another_architecture_is_refused(tmp_path, weights, vision, message):
    openclip_folder(tmp_path, weights, vision)
    with pytest.raises(FeedsegError, match=message):
        open_model(tmp_path)


def test_the_revision_of_a_folder_changes_with_all_that_makes_the_numbers(tmp_path):
    tiny_models.save_clip(tmp_path / "clip")
    tiny_models.save_aligned(tmp_path / "aligned")
    for folder, file, old, new in (
        ("clip", "config.json", "quick_gelu", "gelu"),
        ("clip", "tokenizer.json", "kitten", "puppy"),
        ("aligned", "feedseg.json", "0.485", "0.5"),
        ("aligned", "tower/config.json", '"layer_norm_eps": 1e-06', '"layer_norm_eps": 1e-05'),
    ):
        before = open_model(tmp_path / folder).revision
        assert open_model(tmp_path / folder).revision == before
        path = tmp_path / folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        assert open_model(tmp_path / folder).revision != before, file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"projection_eps": "small"}, "of a wrong type"),
        ({"projection_eps": -1}, "a number above 0"),
        ({"text": 3}, "a bank, a list of them or an object"),
        ({"text": []}, "a bank, a list of them or an object"),
        ({"mean": [0.1, 0.2]}, "not three numbers"),
        ({"std": [0.1, 0.2, 0]}, "not positive"),
        ({"tower": 3}, "of a wrong type"),
        ({"tower": "elsewhere"}, "elsewhere"),
        ({"text": "words.safetensors"}, None),
        ({"text": ["alignment.safetensors"]}, "no text bank"),
        ({"projection": "words.safetensors"}, "ln_post"),
    ],
)
def test_mistakes_in_a_manifest_are_told(tmp_path, change, message):
    tiny_models.save_aligned(tmp_path)
    manifest = json.loads((tmp_path / "feedseg.json").read_text())
    (tmp_path / "feedseg.json").write_text(json.dumps(manifest | change))
    if message is None:
        open_model(tmp_path)
        return
    with pytest.raises(FeedsegError, match=message) as caught:
        open_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_processors_normalisation_counts_where_there_is_no_other(tmp_path):
    tiny_models.save_clip(tmp_path)
    (tmp_path / "processor_config.json").write_text('{"image_processor": {"image_mean": [0.1, 0.2, 0.3]}}')
    assert open_model(tmp_path).tower.mean == (0.1, 0.2, 0.3)


def openclip_names(model: CLIPModel) -> dict[str, torch.Tensor]:
    """OpenCLIP's state dict of a transformers CLIP, built from its attributes."""
    vision, text = model.vision_model, model.text_model

    def block(prefix, layer):
        attention = layer.self_attn
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        yield f"{prefix}.attn.in_proj_weight", torch.cat([projection.weight for projection in projections])
        yield f"{prefix}.attn.in_proj_bias", torch.cat([projection.bias for projection in projections])
        modules = {
            "attn.out_proj": attention.out_proj,
            "ln_1": layer.layer_norm1,
            "ln_2": layer.layer_norm2,
            "mlp.c_fc": layer.mlp.fc1,
            "mlp.c_proj": layer.mlp.fc2,
        }
        for name, module in modules.items():
            yield f"{prefix}.{name}.weight", module.weight
            yield f"{prefix}.{name}.bias", module.bias

    state = {
        "visual.class_embedding": vision.embeddings.class_embedding,
        "visual.positional_embedding": vision.embeddings.position_embedding.weight,
        "visual.conv1.weight": vision.embeddings.patch_embedding.weight,
        "visual.proj": model.visual_projection.weight.T,
        "token_embedding.weight": text.embeddings.token_embedding.weight,
        "positional_embedding": text.embeddings.position_embedding.weight,
        "text_projection": model.text_projection.weight.T,
        "logit_scale": model.logit_scale,
    }
    norms = {
        "visual.ln_pre": vision.pre_layrnorm,
        "visual.ln_post": vision.post_layernorm,
        "ln_final": text.final_layer_norm,
    }
    for name, norm in norms.items():
        state |= {f"{name}.weight": norm.weight, f"{name}.bias": norm.bias}
    for number, layer in enumerate(vision.encoder.layers):
        state |= dict(block(f"visual.transformer.resblocks.{number}", layer))
    for number, layer in enumerate(text.encoder.layers):
        state |= dict(block(f"transformer.resblocks.{number}", layer))
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}


def test_preprocessing_of_the_checkpoint_counts(tmp_path):
    tiny_models.save_clip(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 4]}')
    tower = open_model(tmp_path).tower
    assert (tower.mean, tower.std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 4.0))
    one = normalised(torch.ones(1, 3, 2, 2), tower.mean, tower.std)
    torch.testing.assert_close(one[0, :, 0, 0], torch.tensor([0.9, 0.4, 0.175]))


def test_the_last_block_runs_once(tmp_path, monkeypatch):
    """Not as a block, and its projections only as often as the host asks for them."""
    tiny_models.save_clip(tmp_path)
    model = open_model(tmp_path)
    assert isinstance(model.tower, ClipTower)
    last = model.tower.model.encoder.layers[-1]
    calls: dict[str, int] = {}

    def counting(name, forward):
        def counted(*arguments, **options):
            calls[name] = calls.get(name, 0) + 1
            return forward(*arguments, **options)

        return counted

    modules = {
        "block": last,
        "query": last.self_attn.q_proj,
        "key": last.self_attn.k_proj,
        "value": last.self_attn.v_proj,
    }
    for name, module in modules.items():
        monkeypatch.setattr(module, "forward", counting(name, module.forward))
    text = normalize(torch.randn(3, 20), dim=-1)
    for host, expected in {
        "clip": {"query": 1, "key": 1, "value": 1},
        "maskclip": {"value": 1},
        "clearclip": {"query": 1, "value": 1},
        "naclip": {"key": 1, "value": 1},
    }.items():
        calls.clear()
        (window,) = WindowEncoder(model.tower, HOSTS.load(host))(torch.rand(1, 3, 32, 32))
        window.logits(text, FSAFeedback())
        assert calls == expected, host


@pytest.mark.parametrize("family", ["clip", "aligned", "aligned with registers"])
def test_every_block_but_the_last_attends_in_one_fused_step(tmp_path, family, monkeypatch):
    if family == "clip":
        tiny_models.save_clip(tmp_path)
    else:
        tiny_models.save_aligned(tmp_path, registers=4 if "registers" in family else 0)
    tower = open_model(tmp_path).tower
    fused, calls = torch.nn.functional.scaled_dot_product_attention, []
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *given, **options: calls.append(None) or fused(*given, **options),
    )
    tower.encode(windows(32, 32))
    assert len(calls) == tiny_models.VISION["num_hidden_layers"] - 1


def test_the_folded_activation_is_openais(tmp_path):
    """Of the vision and the text half; and the weights that were handed in are left as they were."""
    reference = tiny_models.save_clip(tmp_path, activation="quick_gelu")
    weights = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    before = {name: tensor.clone() for name, tensor in weights.items()}
    folded = build_module("CLIPModel", reference.config, weights, "tiny")
    tokens = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    for half in ("vision_model", "text_model"):
        ours, theirs = (getattr(model, half).encoder.layers[0].mlp for model in (folded, reference))
        assert isinstance(ours.activation_fn, torch.nn.SiLU)
        given = tokens[..., : theirs.fc1.in_features]
        torch.testing.assert_close(ours(given), theirs(given), atol=1e-6, rtol=1e-5)
    assert all(torch.equal(weights[name], before[name]) for name in before)


def test_sides_that_are_no_whole_patches_are_refused(tmp_path):
    tiny_models.save_clip(tmp_path)
    tower = open_model(tmp_path).tower
    with pytest.raises(ValueError, match="whole patches of 8"):
        tower.encode(torch.zeros(1, 3, 32, 30))


def test_missing_weights_are_an_error_not_random_numbers(tmp_path):
    model = tiny_models.save_clip(tmp_path)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    del state["visual_projection.weight"]
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "model.safetensors")
    with pytest.raises(FeedsegError, match=r"1 tensors of CLIPModel are missing.*visual_projection"):
        open_model(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"config.json": '{"model_type": "bert"}'}, "'bert' model, not a CLIP"),
        ({"config.json": "{"}, "config.json"),
        ({}, "neither config.json"),
        ({"open_clip_config.json": '{"model_cfg": {"embed_dim": 4}}'}, "lacks"),
        ({"feedseg.json": '{"tower": "tower"}'}, "tower"),
    ],
)
def test_folders_that_are_no_model_say_so_in_one_line(tmp_path, files, message):
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FeedsegError, match=message) as caught:
        open_model(tmp_path)
    assert "\n" not in str(caught.value)
