"""Analyses to render: a grid with everything in it, and texts that try to break out of a page."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from constrained.consistency.analysis import Analysis, Settings, analyse_grid, grid_of_exact
from constrained.consistency.statistics.estimate import Array

SCALE = np.arange(11.0)
PROMPTS = ("terse", "rubric", "strict teacher", "kind teacher", "as JSON", "examiner", "one line")

HOSTILE = (
    "<script>window.broken = 1</script>",
    "</script><img src=x onerror='window.broken = 2'>",
    "<!-- <script> & \"quotes\" 'quotes' ]]> \u2028 {{ 7 * 7 }} {% raw %}",
)


def distributions(items: int, *rooms: int, seed: int = 0, spread: float = 0.8) -> Array:
    """Score distributions (items, rooms..., scores): bells on 0 to 10, one cell missing."""
    draw = np.random.default_rng(seed)
    shape = (items, *rooms)
    level = draw.normal(5.6, 1.8, (items, *(1 for _ in rooms)))
    prompt = draw.normal(0.0, 0.5, (1, rooms[0], *(1 for _ in rooms[1:])))
    means = level + prompt + draw.normal(0.0, 0.4, shape)
    bells = np.exp(-((SCALE - means[..., None]) ** 2) / (2 * spread**2))
    found: Array = bells / bells.sum(axis=-1, keepdims=True)
    found[(items // 2, 1, *(0 for _ in rooms[1:]))] = np.nan
    return found


@cache
def sample(items: int = 12, prompts: int = 5, *, seed: int = 0, **settings: Any) -> Analysis:
    """Items x prompts, exact, with gold scores, gates, texts and a command."""
    p = distributions(items, prompts, seed=seed)
    names = [f"essay {i + 1}" for i in range(items)]
    found = analyse_grid(
        grid_of_exact(p, SCALE, levels={"item": names, "prompt": PROMPTS[:prompts]}),
        gold=np.round(np.nanmean(p @ SCALE, axis=1)),
        gates={"max_flip_rate": 0.9, "min_phi": 0.99},
        title="Essay scorer",
        settings=Settings(**{"pass_mark": 6.0, "noun": "essay", "replicates": 50} | settings),
        item_texts={name: f"The text of {name}." for name in names},
        prompt_texts={name: f"Be {name}. Score: {{text}}" for name in PROMPTS[:prompts]},
    )
    methods = replace(found.methods, command="constrained consistency run plan.yaml")
    return replace(found, methods=methods)


@cache
def many_rooms() -> Analysis:
    """Two judges, three formats."""
    p = distributions(10, 4, 3, 2, seed=3)
    levels = {"format": ("plain", "chat", "alpaca"), "variant": ("base", "tuned")}
    grid = grid_of_exact(p, SCALE, ("item", "prompt", "format", "variant"), levels=levels)
    return analyse_grid(grid, settings=Settings(pass_mark=5.0, replicates=100), title="Two judges")


@cache
def pairs() -> Analysis:
    """Two answers judged together in both orders; the second is better, the first shown gains."""
    draw = np.random.default_rng(8)
    scores = np.arange(1.0, 6.0)
    level = draw.normal(3.0, 0.6, (8, 3, 1))
    place = np.array([0.2, -0.2])  # shown first, shown second

    def bell(mean: Array) -> Array:
        p = np.exp(-((scores - mean[..., None]) ** 2))
        found: Array = p / p.sum(axis=-1, keepdims=True)
        return found

    ab = bell(level + place[0])[..., :, None] * bell(level + 0.7 + place[1])[..., None, :]
    ba = bell(level + 0.7 + place[0])[..., :, None] * bell(level + place[1])[..., None, :]
    joint = np.concatenate([ab, ba], axis=2)  # (items, prompts, orders, shown first, shown second)
    gap = np.subtract.outer(scores, scores)
    scale = np.arange(-4.0, 5.0)
    first_minus_second = [
        np.stack([(joint[:, :, order] * (sign * gap == d)).sum((-2, -1)) for d in scale], axis=-1)
        for order, sign in ((0, 1), (1, -1))
    ]
    grid = grid_of_exact(
        np.stack(first_minus_second, axis=2),
        scale,
        ("item", "prompt", "order"),
        levels={"order": ["ab", "ba"]},
    )
    shape = (8, 3, 1, 2, 1, 1, 1, 5, 5)
    grid = replace(grid, joint=joint.reshape(shape), joint_scale=tuple(scores))
    return analyse_grid(grid, title="Pairs", settings=Settings(replicates=50))


@cache
def hostile() -> Analysis:
    """Names, texts, the environment and the command hold markup, scripts and control characters."""
    p = distributions(3, 3, seed=5)
    items = [f"{text} {i}" for i, text in enumerate(HOSTILE)]
    prompts = [f"p {text}" for text in HOSTILE]
    grid = grid_of_exact(p, SCALE, levels={"item": items, "prompt": prompts})
    grid = replace(grid, texts={(0, 0, 0, 0, 0, 0): HOSTILE, (1, 2, 0, 0, 0, 0): ("\x1b[31m",)})
    found = analyse_grid(
        grid,
        title=HOSTILE[0],
        settings=Settings(pass_mark=5.0, replicates=100, noun=HOSTILE[0]),
        item_texts=dict(zip(items, HOSTILE, strict=True)),
        prompt_texts=dict(zip(prompts, HOSTILE, strict=True)),
    )
    methods = replace(
        found.methods,
        command=HOSTILE[1],
        notes=HOSTILE,
        plan_digest=HOSTILE[0],
        environment={HOSTILE[0]: HOSTILE[1], "models": {HOSTILE[2]: HOSTILE[0]}},
    )
    return replace(found, methods=methods)
