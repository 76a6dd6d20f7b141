import pytest
import torch

from layer_robustness.probing.distances import distances


def test_a_known_answer():
    initial = {
        "unit.weight": torch.zeros(2, 3),
        "more.bias": torch.tensor([2.0, 0, 0]),
        "other.w": torch.ones(1),
    }
    weight = torch.tensor([[3.0, 0, 0], [0, 0, 0]])
    final = {
        "unit.weight": weight,
        "more.bias": torch.tensor([2.0, -4, 0]),
        "other.w": torch.ones(1),
    }
    assert distances(initial, final, ["unit", "more"]) == pytest.approx(
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
    assert distances(initial, final, ["u"])["dist_linf"] == 1
