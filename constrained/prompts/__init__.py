"""Prompt formats that fine-tuned models were trained on, as named values.

The same words in another format are another prompt to a model. Nothing here is applied by itself:
a text stays as it is (``plain``) until a format is named.

>>> prompt_format("vicuna").render("Grade this essay.", system="")
'USER: Grade this essay. ASSISTANT:'
"""

from constrained.prompts.formats import FORMATS, format_names, prompt_format
from constrained.prompts.prompt_format import PromptFormat, Round

__all__ = ["FORMATS", "PromptFormat", "Round", "format_names", "prompt_format"]
