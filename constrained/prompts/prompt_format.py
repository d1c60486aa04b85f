"""`PromptFormat`: how a text is written for a model, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from constrained.arguments import text_argument
from constrained.chat import (
    PromptIds,
    answer_turn,
    before_answer,
    check_arguments,
    render_chat,
    takes_chats,
)
from constrained.errors import GenerationError
from constrained.mistral import chat_ids, encodes_chats

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

    @property
    def lead(self) -> str:
        """White space that stands between the prompt and an answer; the model writes it.

        Read off `turn`, which has both. Of a tokenizer's template it is known to `prompt_ids` only.

        >>> from constrained.prompts import prompt_format
        >>> prompt_format("vicuna").lead, prompt_format("chatml").lead
        (' ', '')
        """
        before, found, _ = self.turn.partition("{answer}")
        lead = before.removeprefix(self.last) if found and before.startswith(self.last) else ""
        return "" if lead.strip() else lead

    def render(
        self,
        text: str,
        system: str | None = None,
        tokenizer: Any = None,
        history: Sequence[Round] = (),
        *,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        r"""The prompt as a string, up to where the answer begins.

        `system` None stands for the published system text (or the template's own), and an empty
        one leaves it out; a tokenizer's template gets an empty system message then. `tokenizer` is
        needed by the format ``template`` only, and `chat_template_kwargs` are arguments of its
        template (``enable_thinking``, ``documents``, ...). `history` are earlier rounds, oldest
        first.

        Raises `GenerationError` for a text that is in the format already, for a system text,
        earlier rounds or arguments where the format has no place for them, and for a tokenizer
        without a template.

        >>> from constrained.prompts import prompt_format
        >>> prompt_format("guanaco").render("Grade this.", history=[("Hi!", "Hello.")])
        '### Human: Hi!### Assistant: Hello.### Human: Grade this.### Assistant:'
        """
        self._check(text, system, history)
        self._check_unwrapped(text, tokenizer, history)
        if not self.last:
            messages = self._messages(text, system, tokenizer, history)
            arguments = check_arguments(tokenizer, chat_template_kwargs)
            if encodes_chats(tokenizer):
                ids = self._mistral_ids(text, system, tokenizer, history)
                return str(tokenizer.decode(list(ids), skip_special_tokens=False))
            return render_chat(tokenizer, messages, arguments)
        self._check_arguments(chat_template_kwargs)
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
        *,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> list[int]:
        """The token ids of `render`, with special tokens exactly once.

        Hand these ids to a `Generator`: it uses ids as they are, whereas it would put a BOS token
        before a string. What the format writes between them and an answer is not among them, and
        a list of ids cannot say that there is any: `prompt_ids` does. Raises what `render` raises.

        >>> from constrained.prompts import prompt_format
        >>> from constrained.testing import ByteTokenizer
        >>> prompt_format("plain").encode("No", ByteTokenizer())
        [78, 111]
        """
        return list(self._encode(text, tokenizer, system, history, chat_template_kwargs)[1])

    def prompt_ids(
        self,
        text: str,
        tokenizer: Any,
        system: str | None = None,
        history: Sequence[Round] = (),
        *,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> PromptIds:
        """The token ids for a `Generator`, with the white space that stands before an answer.

        The model writes that space, and the answer after it is spelled as in training (``▁Essay``
        after Vicuna's ``ASSISTANT:``, not ``E ss ay``). It is no part of the answer's text. Raises
        what `render` raises.

        >>> from constrained.prompts import prompt_format
        >>> from constrained.testing import ByteTokenizer
        >>> prompt_format("guanaco").prompt_ids("No", ByteTokenizer()).lead
        ' '
        """
        prompt, ids = self._encode(text, tokenizer, system, history, chat_template_kwargs)
        if self.last:
            return before_answer(tokenizer, prompt, self.lead, ids) if self.lead else PromptIds(ids)
        if encodes_chats(tokenizer):
            return PromptIds(ids)
        messages = self._messages(text, system, tokenizer, history)
        try:
            lead = answer_turn(tokenizer, chat_template_kwargs, messages).lead
        except GenerationError:  # the template takes no answer behind this: nothing to read off
            return PromptIds(ids)
        return before_answer(tokenizer, prompt, lead or "", ids)

    def _encode(
        self,
        text: str,
        tokenizer: Any,
        system: str | None,
        history: Sequence[Round],
        arguments: Mapping[str, Any] | None,
    ) -> tuple[str, tuple[int, ...]]:
        from constrained.generation.inputs import prompt_ids

        if not callable(tokenizer):
            raise GenerationError(f"this is no tokenizer but {tokenizer!r:.60}")
        prompt = self.render(text, system, tokenizer, history, chat_template_kwargs=arguments)
        if not self.last and encodes_chats(tokenizer):
            return prompt, self._mistral_ids(text, system, tokenizer, history)
        if self.adds_special_tokens:
            return prompt, prompt_ids(tokenizer, prompt).ids
        return prompt, tuple(tokenizer(prompt, add_special_tokens=False)["input_ids"])

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

    def _check_unwrapped(self, text: str, tokenizer: Any, history: Sequence[Round]) -> None:
        first = history[0][0] if history else text
        mark = next((mark for mark in self._marks(tokenizer) if first.startswith(mark)), None)
        if mark is not None:
            raise GenerationError(
                f"the text begins with {mark!r}, so it is in the format {self.name!r} already; "
                "pass the bare text, or use the format 'plain'"
            )

    def _check_arguments(self, arguments: Mapping[str, Any] | None) -> None:
        if arguments:
            raise GenerationError(
                f"the format {self.name!r} has no template to take the argument "
                f"{next(iter(arguments))!r}; leave chat_template_kwargs out, or use the format "
                "'template'"
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

    def _messages(
        self, text: str, system: str | None, tokenizer: Any, history: Sequence[Round]
    ) -> list[dict[str, str]]:
        """The conversation that a tokenizer's template gets."""
        if not takes_chats(tokenizer):
            raise GenerationError(
                f"the format {self.name!r} needs a tokenizer with a chat template, and this one "
                "has none; name the format that the model was trained on"
            )
        messages = [] if system is None else [{"role": "system", "content": system}]
        for asked, answer in history:
            messages.append({"role": "user", "content": asked})
            messages.append({"role": "assistant", "content": answer})
        messages.append({"role": "user", "content": text})
        return messages

    def _mistral_ids(
        self, text: str, system: str | None, tokenizer: Any, history: Sequence[Round]
    ) -> tuple[int, ...]:
        """The ids of a chat for a tokenizer that has no template and encodes chats itself."""
        try:
            return tuple(chat_ids(tokenizer, self._messages(text, system, tokenizer, history)))
        except GenerationError:
            raise
        except Exception as error:  # validators of its own
            raise GenerationError(f"the tokenizer refuses this conversation: {error}") from error
