"""Networks beyond the paper: built by name, drawn by their constructors, refused in one line."""

from dataclasses import replace

import pytest
import torch

from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.options import as_words
from layer_robustness.experiments.recipe import CONSTRUCTOR
from layer_robustness.models.named import own_source
from layer_robustness.models.recipes import build_by, check, draw_by
from layer_robustness.runtime.errors import InputError

VIT = {"img_size": 14, "patch_size": 7, "embed_dim": 16, "depth": 2, "num_heads": 2}
MIXER = {"img_size": 14, "patch_size": 7, "embed_dim": 16, "num_blocks": 2, "num_classes": 7}
NETWORK = Network("beyond", "mine")


@pytest.fixture
def named(recipe):
    """Make the recipe of a network by name."""

    def make(model, **options):
        return replace(
            recipe, model=model, options=as_words(options), initial_law=CONSTRUCTOR, width=1
        )

    return make


@pytest.mark.parametrize(
    ("model", "options", "shape"),
    [
        ("vit_tiny_patch16_224", VIT, (3, 14, 14)),
        ("torchvision:resnet18", {}, (3, 32, 32)),
        ("timm.models.mlp_mixer:MlpMixer", MIXER, (3, 14, 14)),
        ("support.own_network:build", {"classes": 7}, (1, 28, 28)),
    ],
)
def test_networks_are_told_their_classes_and_channels_or_what_the_options_say(
    named, model, options, shape
):
    recipe = named(model, **options)
    check(recipe, shape, 7)
    network = build_by(recipe, NETWORK, shape, 7).eval()
    assert network(torch.rand(3, *shape)).shape == (3, 7)


@pytest.mark.parametrize("law", [CONSTRUCTOR, "lecun_normal"])
def test_weights_depend_on_experiment_and_purpose_and_on_nothing_else(named, recipe, law):
    recipe = named("vit_tiny_patch16_224", **VIT) if law == CONSTRUCTOR else recipe
    network, shape = (NETWORK if recipe.model else parse_network("mnist/fcn2x32")), (3, 14, 14)

    def drawn(seed=0, purpose="initial"):
        state = draw_by(recipe, network.seed(seed), shape, 10, purpose).state_dict()
        return torch.cat([tensor.flatten() for tensor in state.values()])

    first = drawn()
    torch.rand(5)
    before = torch.get_rng_state()
    again = drawn()
    if law == CONSTRUCTOR:  # the paper's networks are built by chance, and then drawn
        assert torch.equal(torch.get_rng_state(), before), "drawing changes no other chance"
    assert torch.equal(first, again)
    for other in (drawn(seed=1), drawn(purpose="rerand0")):
        assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("vit_tiny_patch16_22", {}, r"vit_tiny_patch16_22 is unknown.*vit_tiny_patch16_224"),
        ("torchvision:resnet20", {}, r"torchvision:resnet20 is unknown.*resnet50"),
        ("nowhere:build", {}, "nowhere:build cannot be imported"),
        ("support.own_network:Scaled", {}, r"turns 2 images of 1x28x28 into \[2, 1, 28, 28\]"),
        ("support.own_network:build", {"classes": 9}, r"into \[2, 9\]: expected logits \[2, 10\]"),
        ("support.own_network:build", {"depth": 3}, "depth=3 cannot be built: TypeError: .*depth"),
        ("vit_tiny_patch16_224", VIT, "does not take images of 1x28x28: AssertionError"),
        ("vit_tiny_patch16_224", {"pretrained": True}, "option 'pretrained=True': .*no weights"),
        ("os:system", {"command": "touch ran"}, "os:system is neither a class of networks"),
        ("timm:create_model", {"model_name": "resnet18"}, "nor a function of yours"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    named, tmp_path, monkeypatch, model, options, told
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=told) as refusal:
        check(named(model, **options), (1, 28, 28), 10)
    assert "\n" not in str(refusal.value)
    assert not any(tmp_path.iterdir()), "nothing was run"


def test_the_file_of_an_own_network_counts_and_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("one_of_mine", "build = 1"), ("another_of_mine", "build = 2")):
        (tmp_path / f"{name}.py").write_text(text)
    digests = [own_source(f"{name}:build") for name in ("one_of_mine", "another_of_mine")]
    assert len(set(digests)) == 2 and all(len(digest) == 64 for digest in digests)
    assert own_source("resnet18") == own_source("torchvision:resnet18") == ""
