"""`parts_of`: which prompts of a call are passed through the model together."""

from __future__ import annotations

from collections.abc import Sequence

from constrained.generation.heads import SHARE_FROM
from constrained.generation.model import LanguageModel

__all__ = ["parts_of"]


def parts_of(model: LanguageModel, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places of the prompts in parts, each for a first pass of its own.

    Prompts that begin alike make a part, since they share that beginning. On a CPU, where a pass
    costs what its tokens cost, prompts of different length do too, rather than pay for padding.
    """
    if not model.takes_trees or len(prompts) == 1:
        return [list(range(len(prompts)))]
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, prompt in enumerate(prompts):
        groups.setdefault(tuple(prompt[:SHARE_FROM]), []).append(place)
    alike = [g for head, g in groups.items() if len(g) > 1 and len(head) == SHARE_FROM]
    shared = {place for group in alike for place in group}
    kept = [tuple(prompt[: model.kept_head([prompt])]) for prompt in prompts]
    single = sorted(
        set(range(len(prompts))) - shared, key=lambda place: (kept[place], len(prompts[place]))
    )
    runs: list[list[int]] = []
    for place in single:
        wasted = sum(len(prompts[place]) - len(prompts[i]) for i in runs[-1]) if runs else 0
        together = runs and kept[runs[-1][0]] == kept[place]
        if together and (wasted < SHARE_FROM or model.device.type != "cpu"):
            runs[-1].append(place)
        else:
            runs.append([place])
    return [*alike, *runs]
