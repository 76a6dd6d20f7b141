import pytest
import torch

from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.build import draw
from layer_robustness.probing.distances import distances


def test_a_known_answer():
    initial = {
        "unit.weight": torch.zeros(2, 3),
        "unit.bias": torch.tensor([2.0, 0, 0]),
        "other.w": torch.ones(1),
    }
    weight = torch.tensor([[3.0, 0, 0], [0, 0, 0]])
    final = {
        "unit.weight": weight,
        "unit.bias": torch.tensor([2.0, -4, 0]),
        "other.w": torch.ones(1),
    }
    assert distances(initial, final, "unit") == pytest.approx(
        {
            "dist_l2": 25 / 3,
            "dist_linf": 7,
            "dist_l2_stated": 5 / 3,
            "dist_linf_stated": 4,
            "cosine_distance": 1 - 2 / 29**0.5,
            "norm_ratio": 29**0.5 / 2,
        }
    )


def test_a_counter_of_batches_is_no_distance():
    initial = {"u.count": torch.tensor(0), "u.mean": torch.zeros(1)}
    final = {"u.count": torch.tensor(99), "u.mean": torch.ones(1)}
    assert distances(initial, final, "u")["dist_linf"] == 1


@pytest.mark.parametrize(
    ("unit", "printed"), [("layer1", 0.385), ("layer2", 0.67), ("layer4", 0.134)]
)
def test_a_fresh_draw_is_as_far_as_figure_1b_prints(unit, printed):
    """With the inferred law and no free parameter; one step of the colour bar is 0.005."""
    experiment = parse_experiment("mnist/fcn3x256/seed0")
    initial, fresh = (
        draw(experiment, "uniform_fan_in", (1, 28, 28), 10, purpose=purpose).state_dict()
        for purpose in ("initial", "rerand0")
    )
    assert distances(initial, fresh, unit)["dist_l2"] == pytest.approx(printed, abs=0.008)
