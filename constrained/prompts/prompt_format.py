"""`PromptFormat`: how a text is written for a model, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from constrained.arguments import text_argument
from constrained.errors import GenerationError, MissingPackage
from constrained.packages import remedy

__all__ = ["PromptFormat", "Round"]

Round: TypeAlias = tuple[str, str]
"""An earlier round of a conversation: what was asked, and what was answered."""


@dataclass(frozen=True, slots=True)
class PromptFormat:
    r"""The strings that a family of models was trained with, around a text.

    `head` is the part with the system text and is left out when there is none; `turn` is one
    earlier round, `last` the round that the model is to answer. Their fields are ``{system}``,
    ``{text}``, ``{answer}`` and ``{round}`` (counted from 1). `turn` is empty where no form for
    earlier rounds was published; `last` is empty for the tokenizer's own template. `system` is the
    published system text. `marks` are how a text begins that is in the format already.
    `special_tokens` are the strings that have to be single tokens of the model's tokenizer.
    `adds_special_tokens`: the tokenizer puts its own tokens (BOS) in front as it does with any
    text; False where everything is in the string already. `source` is where the strings were
    published.

    >>> plain = PromptFormat("plain", last="{text}")
    >>> plain.render("Grade this essay.")
    'Grade this essay.'
    """

    name: str
    last: str
    head: str = ""
    turn: str = ""
    system: str = ""
    marks: tuple[str, ...] = ()
    special_tokens: tuple[str, ...] = ()
    adds_special_tokens: bool = True
    source: str = ""

    def render(
        self,
        text: str,
        system: str | None = None,
        tokenizer: Any = None,
        history: Sequence[Round] = (),
    ) -> str:
        r"""The prompt as a string, up to where the answer begins.

        `system` None stands for the published system text (or the template's own), and an empty
        one leaves it out; a tokenizer's template gets an empty system message then. `tokenizer` is
        needed by the format ``template`` only. `history` are earlier rounds, oldest first.

        Raises `GenerationError` for a text that is in the format already, for a system text or
        earlier rounds where the format has no place for them, and for a tokenizer without a
        template.

        >>> from constrained.prompts import prompt_format
        >>> prompt_format("guanaco").render("Grade this.", history=[("Hi!", "Hello.")])
        '### Human: Hi!### Assistant: Hello.### Human: Grade this.### Assistant:'
        """
        self._check(text, system, history)
        first = history[0][0] if history else text
        mark = next((mark for mark in self._marks(tokenizer) if first.startswith(mark)), None)
        if mark is not None:
            raise GenerationError(
                f"the text begins with {mark!r}, so it is in the format {self.name!r} already; "
                "pass the bare text, or use the format 'plain'"
            )
        if not self.last:
            return self._apply_template(text, system, tokenizer, history)
        chosen = self.system if system is None else system
        if chosen and not self.head:
            raise GenerationError(
                f"the format {self.name!r} has no place for a system text; write it into the prompt"
            )
        if history and not self.turn:
            raise GenerationError(
                f"the format {self.name!r} has no published form for earlier rounds; pass the last "
                "text only"
            )
        parts = [self.head.format(system=chosen)] if chosen else []
        for place, (asked, answer) in enumerate(history, start=1):
            parts.append(self.turn.format(text=asked, answer=answer, round=place))
        return "".join(parts) + self.last.format(text=text, round=len(history) + 1)

    def encode(
        self,
        text: str,
        tokenizer: Any,
        system: str | None = None,
        history: Sequence[Round] = (),
    ) -> list[int]:
        """The token ids of `render`, with special tokens exactly once.

        Hand these ids to a `Generator`: it uses ids as they are, whereas it would put a BOS token
        before a string. Raises what `render` raises.

        >>> from constrained.prompts import prompt_format
        >>> from constrained.testing import ByteTokenizer
        >>> prompt_format("plain").encode("No", ByteTokenizer())
        [78, 111]
        """
        from constrained.generation.inputs import prompt_ids

        if not callable(tokenizer):
            raise GenerationError(f"this is no tokenizer but {tokenizer!r:.60}")
        prompt = self.render(text, system, tokenizer, history)
        if self.adds_special_tokens:
            return prompt_ids(tokenizer, prompt)
        return list(tokenizer(prompt, add_special_tokens=False)["input_ids"])

    @staticmethod
    def _check(text: Any, system: Any, history: Any) -> None:
        text_argument(text, "text", GenerationError)
        if system is not None:
            text_argument(system, "system", GenerationError)
        listed = isinstance(history, Sequence) and not isinstance(history, str)
        pairs: Any = history if listed else [None]
        for one in pairs:
            pair = isinstance(one, Sequence) and not isinstance(one, str) and len(one) == 2
            if not (pair and all(isinstance(said, str) for said in one)):
                raise GenerationError(
                    "history must be a list of pairs (what was asked, what was answered), got "
                    f"{history!r:.60}"
                )

    def missing_tokens(self, tokenizer: Any) -> tuple[str, ...]:
        """The special tokens that the tokenizer would spell out as ordinary text.

        A model whose tokenizer lacks them was not trained with this format.

        >>> from constrained.prompts import prompt_format
        >>> from constrained.testing import ByteTokenizer
        >>> prompt_format("chatml").missing_tokens(ByteTokenizer())
        ('<|im_start|>', '<|im_end|>')
        """
        return tuple(
            token
            for token in self.special_tokens
            if len(tokenizer(token, add_special_tokens=False)["input_ids"]) != 1
        )

    def _marks(self, tokenizer: Any) -> tuple[str, ...]:
        """How a text begins that would be wrapped twice."""
        if self.last:
            return self.marks
        bos = getattr(tokenizer, "bos_token", None)
        return (*self.marks, bos) if bos else self.marks

    def _apply_template(
        self, text: str, system: str | None, tokenizer: Any, history: Sequence[Round]
    ) -> str:
        if not getattr(tokenizer, "chat_template", None):
            raise GenerationError(
                f"the format {self.name!r} needs a tokenizer with a chat template, and this one "
                "has none; name the format that the model was trained on"
            )
        messages = [] if system is None else [{"role": "system", "content": system}]
        for asked, answer in history:
            messages.append({"role": "user", "content": asked})
            messages.append({"role": "assistant", "content": answer})
        messages.append({"role": "user", "content": text})
        try:
            from jinja2 import TemplateError
        except ImportError:
            raise MissingPackage(
                "jinja2", "a tokenizer's chat template", install=remedy("consistency")
            ) from None

        try:
            prompt: str = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise GenerationError(
                f"the tokenizer's chat template refuses this conversation: {error}"
            ) from error
        return prompt
