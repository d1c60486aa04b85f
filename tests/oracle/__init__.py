"""A slow, obvious engine in plain Python: what `constrained.Engine` is tested against.

It shares no idea with the real engine, which takes derivatives: `spans` says from where to where a
node matches inside a given text, `members` builds the set of all short members of a node by set
algebra. Both restate the table of node meanings in `constrained.grammar` line by line, and in both
recursion is a least fixpoint.

Limits (it is an oracle, not an engine):

* Time grows with the text's length squared or cubed and with the grammar; keep texts under some
  tens of bytes. Nesting is Python recursion: keep texts times nesting under a few hundred.
* `members`, `alive`, `shortest` and `mask` list every text over `alphabet` up to a length, so
  alphabets must be small (two to six bytes; more when the grammar has no `Not`).
* `alive` looks `max_extra` bytes ahead: True is certain, False only means that no completion that
  short over that alphabet exists (exact for finite languages when both are large enough).
* A rule that needs its own complement (recursion through `Not`) has no meaning: `OracleError`.
"""

from tests.oracle.language import Language, alive, mask, members, shortest
from tests.oracle.spans import OracleError, matches, spans

__all__ = [
    "Language",
    "OracleError",
    "alive",
    "mask",
    "matches",
    "members",
    "shortest",
    "spans",
]
