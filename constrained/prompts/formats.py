"""The named prompt formats, with the strings as their authors published them."""

# ruff: noqa: RUF001 - the full-width colon of ChatGLM is meant

from __future__ import annotations

from difflib import get_close_matches

from constrained.arguments import text_argument
from constrained.errors import InvalidSpec
from constrained.prompts.prompt_format import PromptFormat

__all__ = ["FORMATS", "format_names", "prompt_format"]

ALPACA_TASK = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)
VICUNA_CHAT = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
LLAVA_CHAT = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)

FORMATS: dict[str, PromptFormat] = {
    made.name: made
    for made in (
        PromptFormat("plain", last="{text}", source="the text as it is"),
        PromptFormat(
            "alpaca",
            system=ALPACA_TASK,
            head="{system}\n\n",
            last="### Instruction:\n{text}\n\n### Response:",
            marks=(ALPACA_TASK, "### Instruction:"),
            source="Stanford Alpaca, train.py, the prompt without input",
        ),
        PromptFormat(
            "guanaco",
            head="{system}\n",
            turn="### Human: {text}### Assistant: {answer}",
            last="### Human: {text}### Assistant:",
            marks=("### Human:",),
            source="the data set openassistant-guanaco of QLoRA",
        ),
        PromptFormat(
            "chatml",
            head="<|im_start|>system\n{system}<|im_end|>\n",
            turn="<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n",
            last="<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n",
            marks=("<|im_start|>",),
            special_tokens=("<|im_start|>", "<|im_end|>"),
            adds_special_tokens=False,
            source="OpenAI, chatml.md of openai-python 0.28",
        ),
        PromptFormat(
            "chatglm",
            head="{system}\n\n",
            turn="[Round {round}]\n\n问：{text}\n\n答：{answer}\n\n",
            last="[Round {round}]\n\n问：{text}\n\n答：",
            marks=("[Round 1]",),
            source="ChatGLM2-6B, build_prompt of its tokenizer",
        ),
        PromptFormat(
            "vicuna",
            system=VICUNA_CHAT,
            head="{system} ",
            turn="USER: {text} ASSISTANT: {answer}</s>",
            last="USER: {text} ASSISTANT:",
            marks=(VICUNA_CHAT, "USER:"),
            source="Vicuna 1.1 and later, conversation vicuna_v1.1 of FastChat",
        ),
        PromptFormat(
            "llava",
            system=LLAVA_CHAT,
            head="{system}",
            turn="###Human: {text}###Assistant: {answer}",
            last="###Human: {text}###Assistant:",
            marks=(LLAVA_CHAT, "###Human:"),
            source="LLaVA, conversation llava_v0 (Vicuna 0 had the same)",
        ),
        PromptFormat(
            "template",
            last="",
            adds_special_tokens=False,
            source="the chat template that comes with the tokenizer",
        ),
    )
}
"""Every named format, by name."""


def format_names() -> tuple[str, ...]:
    """The names that `prompt_format` knows.

    >>> format_names()
    ('plain', 'alpaca', 'guanaco', 'chatml', 'chatglm', 'vicuna', 'llava', 'template')
    """
    return tuple(FORMATS)


def prompt_format(name: str) -> PromptFormat:
    r"""The prompt format of a name; `InvalidSpec` names the nearest one for an unknown name.

    >>> prompt_format("alpaca").render("Grade this.", system="")
    '### Instruction:\nGrade this.\n\n### Response:'
    """
    text_argument(name, "the name of a prompt format", InvalidSpec)
    found = FORMATS.get(name)
    if found is None:
        near = " or ".join(map(repr, get_close_matches(name.lower(), FORMATS, n=2, cutoff=0.7)))
        known = f"known are {', '.join(FORMATS)}"
        hint = f"did you mean {near}? {known}" if near else known
        raise InvalidSpec(f"there is no prompt format {name!r}", hint=hint)
    return found
