"""Calls of tools as specs: JSON function calls, and steps in the ReAct style.

`tool` makes a `Tool` of a function, a type or a definition, with `signature` and `docstring` to
read functions; `calls` and `react` are the formats.
"""

from constrained.spec.tools.calls import tool_call
from constrained.spec.tools.react import ReactStep, react
from constrained.spec.tools.tool import Tool, ToolCall, as_tool

__all__ = ["ReactStep", "Tool", "ToolCall", "as_tool", "react", "tool_call"]
