"""What a function workflow is, as a digest: a run that was saved goes on only in the workflow that saved it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from pytest_wfreplay.errors import ConfigurationError, SnapshotMismatchError
from pytest_wfreplay.jsonable import digest
from pytest_wfreplay.steps.resume import ResumeState, WorkflowSnapshot
from pytest_wfreplay.steps.snapshot_form import assert_valid_snapshot, looks_like_workflow_snapshot, parsed, to_resume_state


def definition_hash(workflow: str, body: Callable[..., Any]) -> str:
    """`sha256:…` of the workflow's name, the body's qualified name and its source without comments and layout.

    Functions that the body calls do not count. Where no source is to be found, the names and constants of its code stand for it.
    """
    function = inspect.unwrap(body)
    function = getattr(function, "__func__", function)
    return digest([workflow, getattr(function, "__qualname__", type(function).__qualname__), _text(function)])


def _text(function: Callable[..., Any]) -> str:
    try:
        source = textwrap.dedent(inspect.getsource(function if hasattr(function, "__code__") else type(function)))
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return "" if code is None else repr((code.co_names, code.co_varnames, [one for one in code.co_consts if not inspect.iscode(one)]))
    try:
        return ast.unparse(ast.parse(source))
    except SyntaxError:  # a lambda in the middle of something
        return source


def state_to_go_on_from(workflow: str, body: Callable[..., Any], resume_state: object, snapshot: object) -> ResumeState:
    """The one of the two that is given, as a resume state of this workflow; an empty one where none is.

    Raises:
        ConfigurationError: both are given.
        SnapshotFormatError: it is none.
        SnapshotMismatchError: it is that of another workflow, or of another version of this one.
    """
    if resume_state is not None and snapshot is not None:
        raise ConfigurationError("Both resume_state and snapshot are given.", hint="A run goes on from one of them: pass only that.")
    given = snapshot if resume_state is None else resume_state
    if given is None:
        return ResumeState()
    given = given if isinstance(given, ResumeState | WorkflowSnapshot) else parsed(given)
    state = to_resume_state(given)  # type: ignore[arg-type]  # it complains about what is none
    if state.workflow is not None and state.workflow != workflow:
        raise SnapshotMismatchError(
            f"This is the state of a run of workflow {state.workflow!r}, not of {workflow!r}.", hint=f"Run it with workflow {state.workflow!r}."
        )
    recorded = _metadata(given).get("definition_hash")
    if recorded is not None and recorded != (current := definition_hash(workflow, body)):
        raise SnapshotMismatchError(
            f"The snapshot is that of another version of workflow {workflow!r} (recorded {recorded}, current {current}).",
            hint="Go on with the version that saved it, or take definition_hash out of its metadata if the change does not matter.",
        )
    return state


def _metadata(given: object) -> Mapping[str, Any]:
    return assert_valid_snapshot(given).metadata if looks_like_workflow_snapshot(given) else {}
