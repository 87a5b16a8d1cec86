"""The face: every public name, each loaded from its room when it is first asked for. No logic; never imported from inside."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_wfreplay.durability import durable, step
    from pytest_wfreplay.engine.adapters import SignalAdapter, logging_adapter, terminal_adapter
    from pytest_wfreplay.engine.agent import Agent, AgentContext
    from pytest_wfreplay.engine.body import RunScope
    from pytest_wfreplay.engine.result import RunMetrics, RunResult
    from pytest_wfreplay.engine.workflow import Workflow, create_workflow
    from pytest_wfreplay.errors import (
        ActivationLimitError,
        CassetteEmpty,
        CassetteError,
        CassetteMissing,
        CassetteTruncated,
        CassetteUnreadable,
        CassetteVersionError,
        ConfigurationError,
        DivergenceError,
        HandlerError,
        HarnessError,
        IllegalTransition,
        LeaseLost,
        LeaseTaken,
        LiveCallBlocked,
        NotJsonError,
        OutputSchemaError,
        RecordingFinalized,
        RecordingNotFound,
        ScriptExhausted,
        SecretLeakError,
        SignalPayloadError,
        SnapshotFormatError,
        SnapshotMismatchError,
        StepFailed,
        StepInputMismatchError,
        StepTimeoutError,
        StoreError,
        StoreUnavailable,
        TemplateError,
        UnfinishedStepError,
        UnrecordedStepError,
        WfreplayError,
        WorkflowSuspended,
        WorkflowTimeoutError,
    )
    from pytest_wfreplay.harness import Harness, HarnessCapabilities, HarnessInput, HarnessOutput, RunContext, TokenUsage, ToolCall, ToolDefinition
    from pytest_wfreplay.harnesses.anthropic import AnthropicHarness
    from pytest_wfreplay.harnesses.function import FunctionHarness
    from pytest_wfreplay.harnesses.resolve import resolve_harness
    from pytest_wfreplay.harnesses.scripted import ScriptedHarness
    from pytest_wfreplay.options import RecordingOptions
    from pytest_wfreplay.pattern import Pattern
    from pytest_wfreplay.plugin.expect import expect
    from pytest_wfreplay.plugin.facade import Wfreplay
    from pytest_wfreplay.recording.player import Player
    from pytest_wfreplay.recording.recording import Checkpoint, Recording, RecordingMetadata
    from pytest_wfreplay.recording.store import RecordingQuery, SignalStore
    from pytest_wfreplay.signal import Signal, SignalSource, create_signal, define_signal, is_signal
    from pytest_wfreplay.steps.entry import Entry, Raised, Returned
    from pytest_wfreplay.steps.resume import (
        ResumeState,
        SnapshotExecution,
        StepResult,
        WorkflowSnapshot,
        create_resume_state_collector,
        is_step_complete,
        to_snapshot,
    )
    from pytest_wfreplay.steps.snapshot_form import (
        ValidationResult,
        assert_valid_snapshot,
        deserialize_resume_state,
        looks_like_workflow_snapshot,
        merge_snapshots,
        serialize_resume_state,
        to_resume_state,
        validate_snapshot,
    )
    from pytest_wfreplay.steps.snapshots import Lease, Page, SnapshotItem, SnapshotStore, StoredEntry
    from pytest_wfreplay.stores.files import FileSignalStore
    from pytest_wfreplay.stores.memory import MemorySignalStore
    from pytest_wfreplay.stores.open import open_store, sqlite
    from pytest_wfreplay.stores.store import Store
    from pytest_wfreplay.trace import Trace
    from pytest_wfreplay.typed import register_codec

__all__ = [
    "ActivationLimitError",
    "Agent",
    "AgentContext",
    "AnthropicHarness",
    "CassetteEmpty",
    "CassetteError",
    "CassetteMissing",
    "CassetteTruncated",
    "CassetteUnreadable",
    "CassetteVersionError",
    "Checkpoint",
    "ConfigurationError",
    "DivergenceError",
    "Entry",
    "FileSignalStore",
    "FunctionHarness",
    "HandlerError",
    "Harness",
    "HarnessCapabilities",
    "HarnessError",
    "HarnessInput",
    "HarnessOutput",
    "IllegalTransition",
    "Lease",
    "LeaseLost",
    "LeaseTaken",
    "LiveCallBlocked",
    "MemorySignalStore",
    "NotJsonError",
    "OutputSchemaError",
    "Page",
    "Pattern",
    "Player",
    "Raised",
    "Recording",
    "RecordingFinalized",
    "RecordingMetadata",
    "RecordingNotFound",
    "RecordingOptions",
    "RecordingQuery",
    "ResumeState",
    "Returned",
    "RunContext",
    "RunMetrics",
    "RunResult",
    "RunScope",
    "ScriptExhausted",
    "ScriptedHarness",
    "SecretLeakError",
    "Signal",
    "SignalAdapter",
    "SignalPayloadError",
    "SignalSource",
    "SignalStore",
    "SnapshotExecution",
    "SnapshotFormatError",
    "SnapshotItem",
    "SnapshotMismatchError",
    "SnapshotStore",
    "StepFailed",
    "StepInputMismatchError",
    "StepResult",
    "StepTimeoutError",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "StoredEntry",
    "TemplateError",
    "TokenUsage",
    "ToolCall",
    "ToolDefinition",
    "Trace",
    "UnfinishedStepError",
    "UnrecordedStepError",
    "ValidationResult",
    "Wfreplay",
    "WfreplayError",
    "Workflow",
    "WorkflowSnapshot",
    "WorkflowSuspended",
    "WorkflowTimeoutError",
    "assert_valid_snapshot",
    "create_resume_state_collector",
    "create_signal",
    "create_workflow",
    "define_signal",
    "deserialize_resume_state",
    "durable",
    "expect",
    "is_signal",
    "is_step_complete",
    "logging_adapter",
    "looks_like_workflow_snapshot",
    "merge_snapshots",
    "open_store",
    "register_codec",
    "resolve_harness",
    "serialize_resume_state",
    "sqlite",
    "step",
    "terminal_adapter",
    "to_resume_state",
    "to_snapshot",
    "validate_snapshot",
]

#: room -> the names that it gives to the face
_ROOMS = {
    "durability": "durable step",
    "options": "RecordingOptions",
    "engine.adapters": "SignalAdapter logging_adapter terminal_adapter",
    "engine.agent": "Agent AgentContext",
    "engine.body": "RunScope",
    "engine.result": "RunMetrics RunResult",
    "engine.workflow": "Workflow create_workflow",
    "errors": (
        "ActivationLimitError CassetteEmpty CassetteError CassetteMissing CassetteTruncated CassetteUnreadable CassetteVersionError "
        "ConfigurationError DivergenceError HandlerError HarnessError IllegalTransition LeaseLost LeaseTaken LiveCallBlocked "
        "NotJsonError OutputSchemaError RecordingFinalized RecordingNotFound ScriptExhausted SecretLeakError SignalPayloadError "
        "SnapshotFormatError SnapshotMismatchError StepFailed StepInputMismatchError StepTimeoutError StoreError StoreUnavailable "
        "TemplateError UnfinishedStepError UnrecordedStepError WfreplayError WorkflowSuspended WorkflowTimeoutError"
    ),
    "harness": "Harness HarnessCapabilities HarnessInput HarnessOutput RunContext TokenUsage ToolCall ToolDefinition",
    "harnesses.anthropic": "AnthropicHarness",
    "harnesses.function": "FunctionHarness",
    "harnesses.resolve": "resolve_harness",
    "harnesses.scripted": "ScriptedHarness",
    "pattern": "Pattern",
    "plugin.expect": "expect",
    "plugin.facade": "Wfreplay",
    "recording.player": "Player",
    "recording.recording": "Checkpoint Recording RecordingMetadata",
    "recording.store": "RecordingQuery SignalStore",
    "signal": "Signal SignalSource create_signal define_signal is_signal",
    "steps.entry": "Entry Raised Returned",
    "steps.resume": "ResumeState SnapshotExecution StepResult WorkflowSnapshot create_resume_state_collector is_step_complete to_snapshot",
    "steps.snapshot_form": (
        "ValidationResult assert_valid_snapshot deserialize_resume_state looks_like_workflow_snapshot merge_snapshots serialize_resume_state "
        "to_resume_state validate_snapshot"
    ),
    "steps.snapshots": "Lease Page SnapshotItem SnapshotStore StoredEntry",
    "stores.files": "FileSignalStore",
    "stores.memory": "MemorySignalStore",
    "stores.open": "open_store sqlite",
    "stores.store": "Store",
    "trace": "Trace",
    "typed": "register_codec",
}
_HOMES = {name: f"{__name__}.{room}" for room, names in _ROOMS.items() for name in names.split()}

if not TYPE_CHECKING:  # mypy reads the imports above; a __getattr__ that it can see would make every misspelled name an object

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
