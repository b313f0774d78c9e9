"""The story of one order as its history tells it: assigned, paid in parts, checked, re-confirmed, refunded (B6)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from tests.story import Story

Line = Callable[[str], str]


@pytest.fixture
def run(story: Story) -> Line:
    """Run a command line on the story's file as its owner and return what it printed, or its exit code's message."""

    def run(line: str) -> str:
        code, out, err = story.house.run(*shlex.split(line))
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", out) if code == 0 else f"exit {code}: {err}"

    return run


def test_an_order_s_history_tells_all_of_it_in_order(story: Story, run: Line) -> None:
    story.house.offer("100.00", number="7", partial_min="10", partial_success="90")
    story.house.user("ivan", name="Іван", role="manager")
    run("orders new 1 7 --payment-system Sandbox --token tok_fail_once --at '2026-01-31 10:00'")
    run("orders assign 1 ivan")
    assert "declined" in run("orders pay 1 --amount 90 --comment half --at '2026-01-31 10:00'")
    run("orders pay 1 --amount 90 --token tok_ok --at '2026-01-31 10:30'")
    run("orders confirm 1")
    run("orders check 1 --manager ivan")
    run("orders check 1 --system --reconfirm --reason 'he was ill'")
    run("orders refund 1 --amount 40 --reason 'as agreed' --yes")
    run("orders refund 1 --yes")

    told = run("history orders 1 --sort line --no-headers --columns subject,what,changes,reason,command --format md")

    assert told.replace("\\_", "_").splitlines() == [
        "| order | opened | status: — → open; price: — → 100.00 EUR; currency: — → EUR |  | orders new |",
        "| order | assigned | manager: system → Іван; manager by: — → person |  | orders assign |",
        "| invoice | opened | status: — → open; amount: — → 90.00 EUR |  | orders pay |",
        "| invoice | attempt 1 | status: open → processing |  | orders pay |",
        "| invoice | declined | status: processing → declined | the card has insufficient funds | orders pay |",
        "| invoice | tried again |  |  | orders pay |",
        "| invoice | attempt 2 | status: declined → processing; attempted at: TIME → TIME |  | orders pay |",
        "| invoice | paid | status: processing → completed; paid at: — → TIME; fee: — → 2.61 EUR;"
        " fee estimated: no → yes; gateway id: — → sb_2 |  | orders pay |",
        "| order | payment received | paid: 0.00 → 90.00 EUR |  | orders pay |",
        "| order | completed | status: open → completed; completed at: — → TIME |  | orders confirm |",
        "| order | sale confirmed | confirmed: no → yes |  | orders check |",
        "| order | sale confirmed | manager: Іван → system | he was ill | orders check |",
        "| invoice | refunded | refunded: 0.00 → 40.00 EUR | as agreed | orders refund |",
        "| invoice | refunded | refunded: 40.00 → 90.00 EUR; status: completed → refund |  | orders refund |",
        "| order | refunded | status: completed → refund |  | orders refund |",
    ]
