"""The main job in one file: record a small workflow of three agents, replay it without its harness, change it, see where it diverges."""

from __future__ import annotations

import asyncio
import tempfile

from pytest_wfreplay import DivergenceError, FileSignalStore, RecordingOptions, RunResult, ScriptedHarness, create_workflow

#: the embedded harness: what a model would say; put AnthropicHarness() in its place to ask a real one
REPLIES = {
    "researcher": ["Octopuses have three hearts, and two of them stop when they swim."],
    "headline": ["Two hearts stop when an octopus swims"],
    "writer": ["An octopus would rather crawl than swim. No wonder: swimming stops two of its three hearts."],
}


async def newsroom(harness: ScriptedHarness | None, recording: RecordingOptions, tone: str = "friendly") -> RunResult:
    """A researcher speaks first; what it says wakes two others, side by side."""
    flow = create_workflow("newsroom")
    agents = {
        "researcher": flow.agent(
            prompt="Say one surprising thing about {{ topic }}.", activate_on=["workflow:start"], emits=["facts:found"], updates="facts"
        ),
        "headline": flow.agent(prompt="A headline for: {{ facts }}", activate_on=["facts:found"], updates="headline"),
        "writer": flow.agent(prompt=f"Two {tone} sentences about: {{{{ facts }}}}", activate_on=["facts:found"], updates="article"),
    }
    state = {"topic": "octopuses", "facts": "", "headline": "", "article": ""}
    return await flow.run_reactive(agents=agents, state=state, harness=harness, recording=recording)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FileSignalStore(folder)
        harness = ScriptedHarness(REPLIES)
        recorded = await newsroom(harness, RecordingOptions(mode="record", store=store, name="newsroom"))
        print(f"Recorded: {len(harness.calls)} harness calls, {len(recorded.signals)} signals.")
        print(f"    {recorded.state['headline']}\n    {recorded.state['article']}")

        replay = RecordingOptions(mode="replay", store=store, name="newsroom")
        replayed = await newsroom(None, replay)
        assert replayed.signals == recorded.signals
        assert replayed.state == recorded.state
        print(f"Replayed: no harness, the same {len(replayed.signals)} signals, the same state.")

        print("Changed: the writer is now told to be stern.")
        try:
            await newsroom(None, replay, tone="stern")
        except DivergenceError as divergence:
            print(f"Diverged: {divergence}")
        else:
            raise SystemExit("The change went unnoticed.")


if __name__ == "__main__":
    asyncio.run(main())
