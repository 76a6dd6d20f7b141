"""Which of our checkpoints stands for which of the paper's."""

from collections.abc import Sequence

# Reasons of `match` for epochs that are the same stage of training, so that values can be compared.
CORRESPONDING = ("same", "final epoch")


def match(paper: Sequence[str], ours: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return our source and the reason, for each source of the paper that has one of ours.

    The reason is `same` where both are `rerand` or the same epoch, `final epoch` where both are
    the last one and differ, and `position` where two lists are equally long and neither of the two
    epochs is in the other list.

    Parameters
    ----------
    paper, ours
        `rerand` and epochs, ascending; the last is the trained network.
    """
    last = "same" if paper[-1] == ours[-1] else "final epoch"
    found = {source: (source, "same") for source in paper[:-1] if source in ours[:-1]}
    if len(paper) == len(ours):
        for theirs, own in zip(paper[:-1], ours[:-1], strict=True):
            if theirs not in found and own not in found:
                found[theirs] = (own, "position")
    found[paper[-1]] = (ours[-1], last)
    return {source: found[source] for source in paper if source in found}
