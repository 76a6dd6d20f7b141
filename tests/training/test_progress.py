import io
import sys

from layer_robustness.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def tell(stream, monkeypatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("mnist/fcn3x32/seed0", done=1, epochs=3) as progress:
        progress.epoch(2, 0.5, 0.25)
        progress.epoch(3, 0.4, 0.125)
    return stream.getvalue()


def test_a_log_gets_a_plain_line_for_each_epoch(monkeypatch):
    assert tell(io.StringIO(), monkeypatch).splitlines() == [
        "mnist/fcn3x32/seed0 epoch 2/3 loss 0.5000 test error 0.2500",
        "mnist/fcn3x32/seed0 epoch 3/3 loss 0.4000 test error 0.1250",
    ]


def test_a_terminal_gets_a_bar_that_starts_where_training_does(monkeypatch):
    told = tell(Terminal(), monkeypatch)
    assert "\n" not in told.strip() and "\r" in told
    assert "1/3" in told and "seed0" in told
