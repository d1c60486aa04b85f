"""Published tables and the numbers published about them; facts and figures only.

Letters are used by the tests and by docs/reference/statistics.md. `nan` or `.` is a missing cell.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "A_SCORES",
    "B_SCORES",
    "E_SCORES",
    "F_PROBABILITIES",
    "G_SCORES",
    "H_SCORES",
    "I_SCORES",
    "J_TABLE",
    "J_WEIGHTS",
    "M_TOTALS",
    "N_SCORES",
]


def _rows(text: str, missing: str = ".") -> np.ndarray:
    """A matrix from lines of numbers separated by spaces."""
    return np.array(
        [
            [np.nan if cell == missing else float(cell) for cell in line.split()]
            for line in text.strip().splitlines()
        ]
    )


# A: Brennan 2001, synthetic data set 3, persons x occasions x items (10 x 2 x 4).
A_SCORES = (
    _rows("""
        2 6 7 5  2 5 5 5
        4 5 6 7  6 7 5 7
        5 5 4 6  5 4 5 5
        5 9 8 6  5 7 7 6
        4 3 5 6  4 5 6 4
        4 4 4 7  6 4 7 8
        2 6 6 5  2 7 7 5
        3 4 4 5  6 6 6 4
        0 5 4 5  5 5 5 3
        6 8 7 6  6 8 8 6
    """)
    .reshape(10, 2, 4)
    .swapaxes(1, 2)
)  # as persons x items x occasions

# B: Brennan 2001, synthetic data set 1, persons x items (10 x 12), right or wrong.
B_SCORES = _rows("""
    1 0 1 0 0 0 0 0 0 0 0 0
    1 1 1 0 0 1 0 0 0 0 0 0
    1 1 1 1 1 0 0 0 0 0 0 0
    1 1 0 1 1 0 0 1 0 0 0 0
    1 1 1 1 1 0 1 0 0 0 0 0
    1 1 1 0 1 1 1 0 0 0 0 0
    1 1 1 1 1 1 1 0 0 0 0 0
    1 1 1 1 0 1 1 1 1 1 0 0
    1 1 1 1 1 1 1 1 1 1 1 0
    1 1 1 1 1 1 1 1 1 1 1 1
""")

# E: Brennan 2001, incomplete persons x items (12 x 6).
E_SCORES = _rows("""
    1 1 1 1 0 1
    1 0 1 1 1 1
    . 1 1 1 0 0
    0 . . 1 0 1
    1 . 0 1 0 .
    1 1 1 1 0 1
    0 . 1 . 0 0
    0 . 1 1 1 1
    1 1 0 1 . 0
    . 0 0 0 . 0
    1 1 1 1 1 1
    . 0 . 0 0 1
""")

# F: four hand-made cells over the scores 0, 1, 2; items A and B under prompts 1 and 2.
F_PROBABILITIES = np.array(
    [
        [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]],
        [[0.0, 0.0, 1.0], [0.25, 0.5, 0.25]],
    ]
)

# G: Shrout and Fleiss 1979, six targets x four judges.
G_SCORES = _rows("""
    9 2 5 8
    6 1 3 2
    8 4 6 8
    7 1 2 6
    10 5 6 9
    6 2 4 7
""")

# H: Krippendorff's own example, four coders x twelve units (transposed: items x coders).
H_SCORES = _rows("""
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
""").T

# I: the example of Wikipedia's article on Krippendorff's alpha, three coders x fifteen units.
I_SCORES = _rows("""
    . . . . . 3 4 1 2 1 1 3 3 . 3
    1 . 2 1 3 3 4 3 . . . . . . .
    . . 2 1 3 4 4 . 2 1 1 3 3 . 4
""").T

# J: Cohen 1968, proportions of 200 pairs and disagreement weights.
J_TABLE = np.array([[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]])
J_WEIGHTS = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 6.0], [3.0, 6.0, 0.0]])

# M: totals of LLaVA's published GPT-4 reviews of 80 answers (Apache-2.0), (other, Vicuna-13B).
M_TOTALS = {
    "llama": (513.0, 694.0),
    "alpaca": (583.0, 704.0),
    "bard": (664.0, 655.5),
    "gpt35": (693.0, 638.0),
}

# N: from the same files, the scores of the same 80 Vicuna answers beside four partners
# (columns: bard, gpt35, alpaca, llama).
_N = """
1:8.5,8.5,9,8  2:9,9,9,8  3:8,8,9,8  4:8,8.5,8,9
5:8.5,8.5,9,9  6:8,8,9,10  7:8.5,9,10,9  8:9,9,9,9
9:8.5,9,9,9  10:8.5,9,9,9  11:8.5,8.5,9,9  12:8,8.5,9,9
13:8.5,8.5,10,9  14:9,9,9,10  15:8.5,9,9,9  16:9,8.5,9,9
17:9,9,9,9  18:9,9,9,9  19:9,8.5,9,9  20:9,9,9,9
21:9,9,9,9  22:9,8,9,9  23:9,8,9,10  24:9,9,9,9
25:9,7.5,10,9  26:9,9,10,9  27:9,9,10,10  28:9,9,9,9
29:9,8.5,9,9  30:9,9,9,9  31:9,9,10,9  32:9,8.5,9,9
33:8,9,10,9  34:9,9,9,10  35:9,9,9,9  36:8.5,8.5,9,9
37:8,9,10,9  38:8,8,9,9  39:9,9,9,10  40:9,9,9,9
41:8,5,6,8  42:9,6,9,9  43:8,7,9,8  44:8,7,8,8
45:6,6,8,8  46:9,6,9,8  47:8,7,8,7  48:6,7,8,8
49:8,7,8,8  50:7,7,9,8  51:7,7,9,9  52:9,9,9,9
53:9,8,9,9  54:8,9,8,9  55:7,9,9,9  56:9,8.5,9,9
57:9,9,9,9  58:9,9,9,9  59:9,9,9,9  60:9,8.5,9,9
61:9,6,9,9  62:4,4,4,7  63:8.5,8,9,8  64:4,4,6,6
65:9,8.5,10,9  66:5,5,8,8  67:5,5,8,8  68:4,6,8,7
69:1,1,3,2  70:2,4,5,2  71:9.5,9.5,10,10  72:10,9,9,10
73:10,9,10,10  74:9.5,9,9,9  75:10,8.5,10,10  76:8.5,8,9,9
77:10,9,10,9  78:8,8.5,9,9  79:9,8,10,9  80:9,9,10,10
"""
N_SCORES = np.array(
    [[float(score) for score in entry.split(":")[1].split(",")] for entry in _N.split()]
)
