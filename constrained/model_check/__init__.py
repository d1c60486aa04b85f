"""What to know of a model before its answers are trusted, from its tokenizer and settings alone.

>>> from constrained.model_check import check_model
>>> print(check_model("smollm2"))  # doctest: +SKIP
"""

from constrained.model_check.checking import check_model
from constrained.model_check.result import ModelCheck
from constrained.model_check.spelled import SpelledText
from constrained.model_check.template import TemplateCheck
from constrained.model_check.tokens import TokenCheck

__all__ = ["ModelCheck", "SpelledText", "TemplateCheck", "TokenCheck", "check_model"]
