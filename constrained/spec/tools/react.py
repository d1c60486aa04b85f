r"""`react`: one step of a ReAct agent, as text.

::

    Thought: I need the sum.
    Action: add
    Action Input: {"a": 1, "b": 2}

or, to finish::

    Thought: I know enough.
    Final Answer: 3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from constrained.errors import InvalidSpec
from constrained.grammar import Grammar, literal
from constrained.grammar.combine import concatenate, unite
from constrained.spec.coerce import as_spec
from constrained.spec.compose import check_text, sequence
from constrained.spec.json_style import JsonStyle
from constrained.spec.spec import Hole, Part, Spec
from constrained.spec.text import text
from constrained.spec.tools.calls import arguments_grammar, read_json
from constrained.spec.tools.tool import ToolCall, as_tools

__all__ = ["ReactStep", "react"]

ACTION, INPUT, ANSWER = "Action: ", "\nAction Input: ", "Final Answer: "
ONE_LINE = JsonStyle(comma=("", " "), colon=("", " "), around=("", " "))


@dataclass(frozen=True)
class ReactStep:
    """One step: the thought, then either the call of a tool or the final answer.

    `action` is None in the last step, `answer` in all others; `thought` is None where the format
    has none.

    >>> ReactStep("It is known.", None, 42).answer
    42
    """

    thought: Any
    action: ToolCall | None
    answer: Any


def react(
    tools: Any,
    *,
    thought: Any = "line",
    answer: Any = "text",
    begin: str = "Thought: ",
    whitespace: str | JsonStyle = ONE_LINE,
) -> Spec[ReactStep]:
    r"""A step in the ReAct style; what may be the input depends on the action.

    `tools` is as for `tool_call`. `thought` is what `as_spec` takes: ``"line"`` is one line of at
    least one character; None leaves the thought out, with `begin`. `answer` is likewise the spec
    of the final answer, ``"text"`` any text; None means that the step must be an action. `begin`
    is what stands before the thought: pass ``""`` or ``" "`` when the prompt ends in
    ``"Thought:"``. The input is JSON on one line unless `whitespace` says otherwise.

    Raises what `tool_call` raises. Source: Yao et al., ReAct, arXiv 2210.03629, with the labels
    that agent libraries use.

    >>> def add(a: int, b: int = 0) -> int:
    ...     return a + b
    >>> step = react([add]).parse('Thought: easy\nAction: add\nAction Input: {"a": 1, "b": 2}')
    >>> step.thought, step.action()
    ('easy', 3)
    >>> react([add], answer=int).parse("Thought: done\nFinal Answer: 3").answer
    3
    """
    named = as_tools(tools)
    check_text(begin)
    actions = {
        tool.name: concatenate(
            Grammar(literal(f"{ACTION}{tool.name}{INPUT}")), arguments_grammar(tool, whitespace)
        )
        for tool in named.values()
    }
    final = None if answer is None else _spec(answer, "text", text(min_length=1))
    thinking = None if thought is None else _spec(thought, "line", text(lines=1, min_length=1))
    endings = [] if final is None else [concatenate(Grammar(literal(ANSWER)), final.grammar)]

    def read_ending(written: str) -> tuple[ToolCall | None, Any]:
        if final is not None and written.startswith(ANSWER):
            return None, final.read(written[len(ANSWER) :])
        name, _, arguments = written[len(ACTION) :].partition(INPUT)
        return named[name].call(read_json(arguments)), None

    source = _source(list(named), thinking, final, thought, answer, begin)
    ending = Spec(source, unite(*actions.values(), *endings), read_ending)
    if thinking is None:
        return Spec(source, ending.grammar, lambda written: ReactStep(None, *read_ending(written)))

    def build(values: list[tuple[Hole, Any]]) -> ReactStep:
        (_, thought), (_, (action, answer)) = values
        return ReactStep(thought, action, answer)

    opening: list[Part] = [begin] if begin else []
    parts = [*opening, Hole("thought", thinking), "\n", Hole("step", ending)]
    return sequence(source, parts, build)


def _spec(given: Any, default: str, spec: Spec[Any]) -> Spec[Any]:
    if isinstance(given, str):
        if given != default:
            raise InvalidSpec(f"{given!r} is no spec here", hint=f"use {default!r}, None or a spec")
        return spec
    return as_spec(given)


def _source(
    names: list[str],
    thinking: Spec[Any] | None,
    final: Spec[Any] | None,
    thought: Any,
    answer: Any,
    begin: str,
) -> str:
    said = [f"[{', '.join(names)}]"]
    said += [] if thought == "line" else [f"thought={thinking!r}"]
    said += [] if answer == "text" else [f"answer={final!r}"]
    said += [] if begin == "Thought: " else [f"begin={begin!r}"]
    return f"react({', '.join(said)})"
