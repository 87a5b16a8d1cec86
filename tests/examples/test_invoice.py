"""An example, and our own dog food: a function workflow whose steps touch the world through its deps."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from pytest_wfreplay import create_workflow


class Desk:
    """The outside world of this example; the class counts what was done."""

    def __init__(self):
        self.done = []

    async def fetch_user(self, user_id):
        self.done.append("fetch")
        return {"id": user_id, "name": "Ada", "since": dt.date(2019, 5, 1)}

    def total(self, lines):
        self.done.append("total")
        return sum((price for _, price in lines), Decimal(0))

    def send(self, letter):
        self.done.append("send")
        return f"sent {len(letter['lines'])} lines"


async def invoice(ctx):
    user = await ctx.step("fetch-user", ctx.deps.fetch_user, 7, key="user:7")
    lines = [("tea", Decimal("3.20")), ("milk", Decimal("1.15"))]
    total = await ctx.step("total", ctx.deps.total, lines)
    ctx.emit("invoice:made", {"number": ctx.new_id(), "total": total})
    letter = {"to": user["name"], "month": ctx.now().strftime("%B %Y"), "since": user["since"].year, "lines": lines, "total": total}
    return {"answer": await ctx.step("send", ctx.deps.send, letter), "total": total}


def test_an_invoice_is_sent_once(wfreplay):
    desk = Desk()
    value = wfreplay.run(create_workflow("invoice", deps=desk).run(invoice))
    assert value == {"answer": "sent 2 lines", "total": Decimal("4.35")}
    assert desk.done == ([] if wfreplay.mode == "none" else ["fetch", "total", "send"])
    [recording] = wfreplay.recordings
    assert [entry.key for entry in recording.entries] == ["user:7", "total", "new_id", "now", "send"]
