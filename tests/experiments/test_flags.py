"""Settings travel as flags of a command line, and come back as they were."""

import argparse
import shlex
from dataclasses import replace

import pytest

from layer_robustness.attacks.settings import Settings
from layer_robustness.experiments.flags import add_flags, as_flags, from_flags
from layer_robustness.experiments.options import as_words, read_words
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime.errors import InputError
from support.plans import plan


def returned(settings):
    """What a command makes of the flags."""
    parser = argparse.ArgumentParser()
    add_flags(parser, type(settings))
    return from_flags(parser.parse_args(shlex.split(as_flags(settings))), type(settings))


@pytest.mark.parametrize("preset", ["quick", "paper", "fashion"])
def test_every_recipe_and_the_attacks_settings_come_back(preset):
    of_preset = plan(preset)
    settings = {job.recipe for job in of_preset.jobs}
    assert any(recipe.weight_decay for recipe in settings) and len(settings) > 2
    settings.add(Settings(**of_preset.config["adversarial"]))
    for each in settings:
        assert returned(each) == each


def test_a_flag_is_its_fields_name_and_a_tuple_has_any_number_of_values(recipe):
    words = as_flags(recipe).split()
    assert words[: words.index("--factor")] == [
        *("--epochs", "4", "--batch-size", "64", "--learning-rate", "0.05", "--milestones", "2")
    ]
    assert returned(Recipe(**{**vars(recipe), "milestones": ()})).milestones == ()


def test_what_has_its_default_value_is_left_out_and_the_rest_is_safe_in_a_shell(recipe):
    assert "warmup" not in as_flags(recipe) and "--options" not in as_flags(recipe)
    options = {"depths": [2, 2], "layer": "gelu", "name": "7", "bias": True, "rate": None}
    own = replace(recipe, model="mine:net", options=as_words(options), warmup=3, optimizer="adamw")
    assert returned(own) == own
    assert read_words(own.options) == options
    with pytest.raises(InputError, match="option 'depth': expected a name and its value"):
        read_words(["depth"])


@pytest.mark.parametrize("flags", ["", "--choice image"])
def test_a_flag_that_is_missing_or_no_choice_ends_the_command(flags, capsys):
    parser = argparse.ArgumentParser()
    add_flags(parser, Settings)
    with pytest.raises(SystemExit):
        parser.parse_args(flags.split())
    assert ("invalid choice: 'image'" if flags else "are required") in capsys.readouterr().err
