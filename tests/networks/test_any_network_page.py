"""The example of docs/any_network.md."""

import re

from support.checkout import ROOT


def test_the_example_runs_and_says_what_the_page_says(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs/any_network.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (printed,) = re.findall(r"```text\n(.*?)```", page, re.S)
    monkeypatch.chdir(tmp_path)
    found = {}
    assert example.count("in range(8):") == 1
    exec(example.replace("in range(8):", "in range(2):"), found)  # epochs
    # Another machine rounds otherwise, trains to other weights and finds other costs.
    lines = re.compile(r"Critical to (\w+), \d of (\d+) units: ")
    assert lines.findall(capsys.readouterr().out) == lines.findall(printed)
    assert found["result"].frame["error"].iloc[0] < 0.7
    assert set(found["result"].frame["engine"]) == {"clean pass", "replay"}
    assert (tmp_path / "vit.pdf").exists() and (tmp_path / "vit.png").exists()
