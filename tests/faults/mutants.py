"""Every safety claim of the charge protocol broken on purpose, and the scenario that must notice.

copy of the package + exact replacement -> ``python -m tests.faults.mutants SCENARIO`` there -> caught | survived
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from tests import PROJECT
from tests.faults.world import furnished

_FURNISHING = ("storage/", "catalogue/", "rules/", "errors.py")  # what makes a file with offers and customers
CAUGHT = 3  # the exit code of a scenario that saw a claim broken; a mutant that cannot even start is not caught


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deliberate mistake: texts of the package replaced, ``(file, old, new)``; ``scenario`` must fail with it."""

    name: str
    scenario: str
    patches: tuple[tuple[str, str, str], ...]


def _answered(clause: str, became: str) -> str:
    """Return a clause that takes an error for another answer."""
    return f'{clause}        return Answer("{became}", None, "card_declined", None, str(error))\n'


FIRST_TABLES = "storage/migrations/m0001_house.py"
CLOSE = "\" retryable = :retryable WHERE id = :id AND status = 'live' AND fence = :fence\""
HELD = '(rows[one.id]["status"], rows[one.id]["fence"]) == ("live", one.fence)'
CUT = "    except OutcomeUnknown as error:\n"
AWAY = "    except Unavailable as error:\n"
MADE_OTHERWISE = """\
            if claimed.other and (made := claimed.other.made()):
                return made
            never ="""
MADE_OTHERWISE_REPEATED = """\
    if claimed.other and (made := claimed.other.made()):
        return made
    return calls.carry_out"""
PLANNED_REFUND = 'orders.refuse_while_paying(connection, order, "be refunded")'
BEGUN_REFUND = 'orders.refuse_while_paying(connection, orders.get(connection, invoice.order_id), "be refunded")'
PAID = "recurring.paid(before, now=now, zone=work.zone)"
INVOICE_MOVES = """        "completed": ("refund",),
        "refund": (),
    },
    "recurring order": {"""
PAID_CHECK = """  CHECK ((paid_at IS NOT NULL) = (status IN ('completed', 'refund')))
) STRICT;
CREATE INDEX invoices_attempted"""

MOVED_THERE = "charging/moved_there.py"
OF_INVOICE = """        invoice = invoice_of(work.connection, system, reported.payment_id)
        if invoice is None:
            return _unpaid(work.connection, system, reported.payment_id)
        if reported.gateway_id"""

RECOGNISED = 'return "idempotent" in able and (seconds is None or age.total_seconds() < seconds)'
RECORDED_AS_TOLD = """settle.settle(work, attempt, answer)
        return answer"""

MUTANTS = (
    Mutant(
        "call before commit",
        "the_line_is_cut_after_the_money_moved",
        (
            (
                "charging/tick.py",
                "            claims = _claimed(run, calls, chosen)\n",
                "            claims = _claimed(run, calls, chosen)\n"
                "            [due_payments.answer_to(claimed) for claimed in claims]\n",
            ),
        ),
    ),
    Mutant(
        "random key",
        "a_backup_of_half_an_hour_ago_is_put_back",
        (("sales/new_attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:{os.urandom(4).hex()}:{number}"'),),
    ),
    Mutant(
        "key without attempt",
        "a_decline_is_followed_by_a_success",
        (("sales/new_attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:1"'),),
    ),
    Mutant(
        "key without attempt, and the file does not mind",
        "a_decline_is_followed_by_a_success",
        (
            ("sales/new_attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:1"'),
            (
                FIRST_TABLES,
                "reference TEXT NOT NULL UNIQUE,          --",
                "reference TEXT NOT NULL,  --",
            ),
        ),
    ),
    Mutant(
        "time-out taken as decline",
        "the_line_is_cut_after_the_money_moved",
        (("gateways/answers.py", CUT, _answered(CUT, "declined") + CUT),),
    ),
    Mutant(
        "time-out taken as not sent",
        "the_line_is_cut_after_the_money_moved",
        (("gateways/answers.py", CUT, _answered(CUT, "not_sent") + CUT),),
    ),
    Mutant(
        "outage counts as attempt",
        "a_gateway_is_away_for_half_an_hour",
        (("gateways/answers.py", AWAY, _answered(AWAY, "declined") + AWAY),),
    ),
    Mutant(
        "settle twice",
        "two_processes_settle_one_payment",
        (
            ("sales/attempts.py", CLOSE, CLOSE.replace(" AND status = 'live' AND fence = :fence", "")),
            ("sales/attempts.py", HELD, "True"),
        ),
    ),
    Mutant(
        "an answer is taken for all of its batch",
        "many_answers_are_recorded_together",
        (
            (
                "charging/settle.py",
                "believed(connection, ours)",
                "believed(connection, [one._replace(answer=ours[0].answer) for one in ours])",
            ),
        ),
    ),
    Mutant(
        "a payment is sent under the reference of another of its batch",
        "many_answers_are_recorded_together",
        (
            (
                "charging/due_payments.py",
                "calls.requests_of(connection, opened)",
                "calls.requests_of(connection, opened)[::-1]",
            ),
        ),
    ),
    Mutant(
        "a payment that cannot be claimed leaves its order behind",
        "a_plan_that_cannot_be_claimed_is_among_others",
        (
            ("charging/tick.py", "with database.savepoint(connection):", "if True:"),
            (
                "charging/due_payments.py",
                "    found = payment_orders.open_payments(batch, several, told=False)\n",
                "    found = payment_orders.open_payments(batch, several, told=False)\n    batch.write()\n",
            ),
        ),
    ),
    Mutant(
        "what cannot be recorded is charged on and on",
        "answers_cannot_be_recorded",
        (("charging/tick.py", "calls.exhausted |= run.unrecorded > UNRECORDED_MAX", "pass"),),
    ),
    Mutant(
        "a payment that cannot be claimed holds up the others",
        "a_plan_that_cannot_be_claimed_is_among_others",
        (("charging/tick.py", "if len(chosen) > 1:", "if False:"),),
    ),
    Mutant(
        "settle split in two",
        "a_tick_dies_at_every_moment",
        (
            (
                "charging/settle.py",
                PAID,
                f'(work.connection.execute("COMMIT"), work.connection.execute("BEGIN IMMEDIATE"), {PAID})[2]',
            ),
        ),
    ),
    Mutant(
        "no window rule: missed dates are billed",
        "a_hundred_days_without_a_tick",
        (("sales/recurring.py", "recurring.planned_after(max(due, now), zone)", "recurring.planned_after(due, zone)"),),
    ),
    Mutant(
        "no window rule: a date is billed again",
        "the_clock_goes_back_while_a_payment_is_in_doubt",
        (("sales/recurring.py", "recurring.planned_after(max(due, now), zone)", "recurring.planned_after(now, zone)"),),
    ),
    Mutant(
        "recovery without look-up",
        "a_tick_died_two_days_ago",
        (
            ("charging/recover.py", 'if "lookup" in able:', "if False:"),
            ("gateways/answers.py", RECOGNISED, "return True"),
        ),
    ),
    Mutant(
        "a failed look-up taken as not sent",
        "a_payment_is_in_doubt_for_two_days",
        (("charging/recover.py", 'answer.became in ("not_sent", "misconfigured")', "answer.became in ()"),),
    ),
    Mutant(
        "the age of a reference by the clock alone",
        "a_clock_set_back_makes_no_old_reference_young",
        (("sales/attempts.py", "if boot == process.boot_id() else by_clock", "if False else by_clock"),),
    ),
    Mutant(
        "late payment without look-up",
        "a_backup_of_two_days_ago_is_put_back",
        (("charging/due_payments.py", 'if claimed.late and "lookup" in able:', "if False:"),),
    ),
    Mutant(
        "fence ignored",
        "a_process_taken_for_dead_comes_back_with_a_stale_answer",
        (
            ("sales/attempts.py", CLOSE, CLOSE.replace(" AND fence = :fence", "")),
            ("sales/attempts.py", HELD, 'rows[one.id]["status"] == "live"'),
        ),
    ),
    Mutant(
        "the living taken for dead",
        "an_attempt_of_another_process_is_left_alone_while_it_lives",
        (("sales/attempts.py", " if not attempt.worked_on(clock)]", "]"),),
    ),
    Mutant(
        "a lease by the time that a person gave",
        "a_tick_as_of_an_earlier_time_is_at_work_on_another_machine",
        (("sales/new_attempts.py", "owned_at=at.clock", "owned_at=at.now"),),
    ),
    Mutant(
        "advance before charge",
        "a_gateway_is_away_for_half_an_hour",
        (
            (
                "charging/due_payments.py",
                'replace(due, status="processing")',
                'replace(due, status="processing",'
                " next_payment_at=time.utc_text(due.planned_after(work.now, work.zone)))",
            ),
        ),
    ),
    Mutant(
        "overwrite of a success",
        "a_success_is_followed_by_a_decline_of_the_same_attempt",
        (
            ("sales/attempts.py", CLOSE, CLOSE.replace(" AND status = 'live'", "")),
            ("sales/attempts.py", HELD, 'rows[one.id]["fence"] == one.fence'),
            ("rules/lifecycle.py", INVOICE_MOVES, INVOICE_MOVES.replace('("refund",)', '("refund", "declined")')),
            (
                FIRST_TABLES,
                PAID_CHECK,
                PAID_CHECK.replace("IN ('completed'", "IN ('declined', 'completed'"),
            ),
        ),
    ),
    Mutant(
        "resumed ones wait their turn",
        "one_resumed_beside_five_thousand_due_is_charged_within_ten_minutes",
        (("sales/recurring.py", "ORDER BY r.activated_at IS NULL, ", "ORDER BY "),),
    ),
    Mutant(
        "deferred begin",
        "a_transaction_holds_the_write_lock_from_its_beginning",
        (("storage/database.py", '_BEGIN, _HOME = "BEGIN IMMEDIATE"', '_BEGIN, _HOME = "BEGIN"'),),
    ),
    Mutant(
        "synchronous NORMAL",
        "power_is_cut_after_a_claim",
        (
            ("storage/sqlite/connection.py", '"delete"), ("synchronous", 3)', '"delete"), ("synchronous", 1)'),
            ("storage/sqlite/connection.py", '"wal"), ("synchronous", 2)', '"wal"), ("synchronous", 1)'),
        ),
    ),
    Mutant(
        "a copy that forgets when it came to life",
        "a_copy_a_minute_old_comes_to_life",
        (("storage/home.py", "        note_resumed(work)\n", ""),),
    ),
    Mutant(
        "only what is an hour late is looked up",
        "a_copy_a_minute_old_comes_to_life",
        (
            (
                "charging/elsewhere.py",
                "late | recurring.begun_before(connection, [due.id for due in several], resumed.at)",
                "late",
            ),
        ),
    ),
    Mutant(
        "only what was planned before is looked up",
        "a_payment_ahead_of_its_date_was_made_elsewhere",
        (("sales/recurring.py", " OR r.created_at <= {moment} AND", " OR 0 AND"),),
    ),
    Mutant(
        "a gateway that cannot tell is asked again",
        "a_copy_comes_to_life_and_nobody_can_tell",
        (
            ("charging/elsewhere.py", '        return "idempotent" in able\n', "        return True\n"),
            ("gateways/answers.py", RECOGNISED, "return True"),
        ),
    ),
    Mutant(
        "the hold is printed and not kept",
        "a_copy_comes_to_life_and_nobody_can_tell",
        (("charging/tick.py", "run.held.before, run.held.lines)", "run.held.before, ())"),),
    ),
    Mutant(
        "charged at once past the hold",
        "a_copy_comes_to_life_and_nobody_can_tell",
        (("charging/due_payments.py", "if line := run.held.line_of(run.work.connection, due):", "if line := None:"),),
    ),
    Mutant(
        "a gateway's forgotten keys are relied on",
        "a_copy_comes_to_life_after_its_keys_were_forgotten",
        (
            (
                "charging/elsewhere.py",
                "return timedelta(0) <= ago and answers.recognises(gateway, able, ago)",
                "return True",
            ),
        ),
    ),
    Mutant(
        "a person's payment of a young order is sent at once",
        "a_person_pays_and_refunds_again_in_a_copy",
        (
            (
                "charging/elsewhere.py",
                " or (resumed is not None and since <= resumed.at)\n\n\ndef payment",
                "\n\n\ndef payment",
            ),
        ),
    ),
    Mutant(
        "a person pays past the hold",
        "a_person_repeats_in_a_copy_what_nobody_can_tell",
        (("charging/pay.py", "elsewhere.check_tells(work, system, gateways(system), order.created_at)", "pass"),),
    ),
    Mutant(
        "a person refunds past the hold",
        "a_person_repeats_in_a_copy_what_nobody_can_tell",
        (("charging/refund.py", "    elsewhere.check_tells(work, part.system, gateway, since)\n", ""),),
    ),
    Mutant(
        "our own error once a program runs is called not sent",
        "a_program_has_its_question_and_cannot_be_killed",
        (
            (
                "gateways/program.py",
                "    with suppress(OSError):\n        os.killpg",
                "    if True:\n        os.killpg",
            ),
            ("gateways/command.py", "except program.NotStarted as", "except (program.NotStarted, OSError) as"),
        ),
    ),
    Mutant(
        "a gateway's program outlives who asked it",
        "a_gateways_program_hangs_and_who_asked_it_is_killed",
        (("gateways/program.py", "            os.killpg(0, signal.SIGKILL)\n", "            pass\n"),),
    ),
    Mutant(
        "a hook that hangs holds up the next tick",
        "a_hook_hangs_while_the_next_tick_is_due",
        (
            (
                "cli/commands/tick.py",
                "            stopped = stopping()\n",
                "            stopped = stopping()\n            _tell(session)\n",
            ),
        ),
    ),
    Mutant(
        "a hook was told before it is told",
        "notify_dies_at_every_moment",
        (
            (
                "notices/deliver.py",
                "                senders.send(run.hook, [event]",
                '                hooks.told(run.connection, run.hook, event["event"])\n'
                "                senders.send(run.hook, [event]",
            ),
        ),
    ),
    Mutant(
        "one payment of a gateway pays two orders",
        "a_gateway_answers_with_another_invoices_payment",
        (("charging/settle.py", "believed(connection, ours)", "ours"),),
    ),
    Mutant(
        "the file takes one payment of a gateway twice",
        "a_gateway_answers_with_another_invoices_payment",
        (
            (
                "storage/migrations/m0005_one_payment_each.py",
                "payment_system_id IS NEW.payment_system_id AND id <> NEW.id",
                "id = -1",
            ),
        ),
    ),
    Mutant(
        "one refund of a gateway is two",
        "a_gateway_answers_with_another_refund",
        (("charging/believe.py", "AND kind = 'refund'", "AND id = -1"),),
    ),
    Mutant(
        "a refund whose outcome is unknown is told as made",
        "a_gateway_answers_with_another_refund",
        (("charging/refund.py", "return settle.settle(work, attempt, answer) or answer", RECORDED_AS_TOLD),),
    ),
    Mutant(
        "a refund that was made there is repeated",
        "a_refund_was_made_there_before",
        (("charging/refund.py", "already = _made_there(work, part, gateway)", "already = None"),),
    ),
    Mutant(
        "a refund that was found there is sent too",
        "a_refund_was_made_there_before",
        (("charging/refund.py", 'return Answer("succeeded", code=FOUND_THERE) if found else None', "return None"),),
    ),
    Mutant(
        "ours is sent beside one that nobody had seen",
        "a_refund_was_made_there_before",
        (
            (
                "charging/refund.py",
                "    if found in (0, part.amount_minor):\n",
                "    if found != part.amount_minor:\n        return None\n    if found:\n",
            ),
        ),
    ),
    Mutant(
        "a refund is sent where the look-up of theirs failed",
        "the_look_for_refunds_fails",
        (
            (
                "charging/refund.py",
                'return Answer("not_sent", message=f"its refunds there could not be looked up: {made.message}")',
                "return None",
            ),
        ),
    ),
    Mutant(
        "a refund that is known is recorded again",
        "a_refund_is_told_again_and_again",
        (
            (
                MOVED_THERE,
                'if reported.gateway_id and refunds.find(work.connection, system.id, reported.gateway_id, "refund"):',
                "if False:",
            ),
        ),
    ),
    Mutant(
        "the file takes one refund of a gateway twice",
        "a_refund_is_told_again_and_again",
        (
            (
                "storage/migrations/m0007_moved_elsewhere.py",
                "CREATE UNIQUE INDEX refunds_gateway",
                "CREATE INDEX refunds_gateway",
            ),
        ),
    ),
    Mutant(
        "every tick asks for refunds",
        "a_tick_asks_for_refunds_only_once_an_hour",
        (("charging/gateway_sync.py", "time.from_text(last) < SYNC_EVERY", "time.from_text(last) < timedelta(0)"),),
    ),
    Mutant(
        "a refund found there is half recorded",
        "sync_dies_at_every_moment",
        (
            (
                MOVED_THERE,
                f"    with database.transaction(work.connection):\n{OF_INVOICE}",
                f"    if True:\n{OF_INVOICE}",
            ),
        ),
    ),
    Mutant(
        "a refund there is recorded beside ours of unknown outcome",
        "our_refund_of_unknown_outcome_is_told",
        (
            (
                "charging/moved_there.py",
                "if reported.pending or (live is not None and (own is None or own.id != live.id)):",
                "if reported.pending:",
            ),
            (
                "charging/moved_there.py",
                "        if live is not None:\n            return _settled",
                "        if live is not None and own is not None:\n            return _settled",
            ),
        ),
    ),
    Mutant(
        "what waited is not asked for again",
        "a_refund_there_waits_for_ours",
        (("charging/gateway_sync.py", "min([reached, *waiting])", "reached"),),
    ),
    Mutant(
        "our refund is not known by its reference",
        "our_refund_of_unknown_outcome_is_told_by_its_reference",
        (
            (
                "charging/moved_there.py",
                'return attempt if attempt and (attempt.kind, attempt.invoice_id) == ("refund", invoice.id) else None',
                "return None",
            ),
        ),
    ),
    Mutant(
        "what a person recorded is recorded again",
        "a_refund_that_a_person_recorded_is_told",
        (
            (
                "charging/moved_there.py",
                "        if _known_without_number(work, invoice, own, reported):\n            return KNOWN\n",
                "",
            ),
        ),
    ),
    Mutant(
        "a reference that the gateway has answered is sent for another refund",
        "a_copy_lacks_a_refund_of_ours",
        (("charging/moved_there.py", "if named != base or not number.isascii() or not number.isdigit():", "if True:"),),
    ),
    Mutant(
        "what is disputed is refunded",
        "a_lost_dispute_is_told_again_and_again",
        (
            (
                "charging/refund.py",
                "(dispute := disputes.open_of_invoice(connection, part.invoice.id))",
                "(dispute := None)",
            ),
        ),
    ),
    Mutant(
        "a lost dispute that a person recorded is money back again",
        "a_lost_dispute_is_told_again_and_again",
        (
            (
                "charging/moved_there.py",
                'in refunds.without_number(work.connection, invoice.id, "dispute", dispute.amount_minor):',
                "in ():",
            ),
        ),
    ),
    Mutant(
        "an open dispute is not asked for again",
        "a_dispute_is_settled_long_after_it_was_opened",
        (
            (
                "charging/gateway_sync.py",
                "ask_changes(gateway, since, disputes.open_of(work.connection, system.id))",
                "ask_changes(gateway, since, ())",
            ),
        ),
    ),
    Mutant(
        "what happened while a clock was ahead is never asked for",
        "a_clock_ran_ahead_when_the_bank_was_asked",
        (("charging/gateway_sync.py", " or happened.is_future(time.from_text(until), work.now)", ""),),
    ),
    Mutant(
        "a refund counts in a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/settle.py",
                'closed_months.counted_on(work, "invoice", invoice.id, time.local_day(back.at, work.zone))',
                "time.local_day(back.at, work.zone)",
            ),
        ),
    ),
    Mutant(
        "a payment counts in a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/settle.py",
                '    columns["paid_on"] = batch.counted_on("invoice", invoice.id, columns["paid_on"])\n',
                "",
            ),
        ),
    ),
    Mutant(
        "an order becomes Completed in a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/batch.py",
                'batch.counted_on("order", order.id, columns["completed_on"])',
                'columns["completed_on"]',
            ),
        ),
    ),
    Mutant(
        "nothing guards a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/settle.py",
                '    columns["paid_on"] = batch.counted_on("invoice", invoice.id, columns["paid_on"])\n',
                "",
            ),
            (
                "storage/migrations/m0009_closed_months.py",
                "WHERE month = substr({day}, 1, 7)",
                "WHERE month = substr({day}, 1, 6)",
            ),
        ),
    ),
    Mutant(
        "a person is not refused a closed month",
        "a_person_dates_a_payment_in_a_closed_month",
        (
            (
                "charging/by_hand.py",
                "            closed_months.check_open(work)\n            _receive",
                "            _receive",
            ),
        ),
    ),
    Mutant(
        "a success that contradicts us is not told",
        "a_payment_was_made_after_all",
        (
            (
                "charging/moved_there.py",
                '    if attempt.status == "succeeded":\n        return KNOWN',
                '    if attempt.status != "live":\n        return KNOWN',
            ),
        ),
    ),
    Mutant(
        "a payment is confirmed that is only proposed",
        "a_statement_names_no_invoice",
        (("reconcile/compare.py", "if proposal(finding) in accepted:", "if proposal(finding) is not None:"),),
    ),
    Mutant(
        "of several lines for one invoice, one is proposed",
        "a_statement_names_no_invoice",
        (("reconcile/propose.py", ' and equal["place", place, strength] == 1', ""),),
    ),
    Mutant(
        "of several that fit a line equally, one is proposed",
        "a_statement_names_no_invoice",
        (("reconcile/propose.py", 'equal["line", at, strength] == 1 and ', ""),),
    ),
    Mutant(
        "a statement's refund is recorded by a number of ours",
        "a_statement_and_the_bank_tell_of_one_refund",
        (
            (
                "reconcile/compare.py",
                "return finding.sure and finding.invoice is not None",
                "return finding.invoice is not None",
            ),
        ),
    ),
    Mutant(
        "recovery dates by a clock that is in doubt",
        "a_look_up_in_the_next_year_does_not_tell",
        (("charging/tick.py", "clock_in_doubt=in_doubt)", "clock_in_doubt=False)"),),
    ),
    Mutant(
        "a clock in 1970 is believed",
        "a_machine_boots_in_1970",
        (("charging/tick.py", "tick_log.is_behind(work.connection, clock_now)", "False"),),
    ),
    Mutant(
        "a clock in 1970 is doubted once",
        "a_machine_boots_in_1970_and_only_a_repetition_would_tell",
        (("charging/tick_log.py", "_REMEMBERED = 2000", "_REMEMBERED = 1"),),
    ),
    Mutant(
        "a reference of unknown age is repeated",
        "a_machine_boots_in_1970_and_only_a_repetition_would_tell",
        (
            (
                "charging/recover.py",
                "_looked_up(claimed) if clock_in_doubt",
                "_found_out(run, claimed) if clock_in_doubt",
            ),
        ),
    ),
    Mutant(
        "what a look-up says is recorded at a time that cannot be",
        "a_machine_boots_in_the_next_year",
        (("charging/recover.py", "replace(run, work=run.work.at(time.from_text(made_at)))", "run"),),
    ),
    Mutant(
        "the same reference for another token",
        "a_card_is_changed_while_its_payment_waits",
        (
            ("sales/new_attempts.py", "last.currency, last.token)", "last.currency)"),
            ("sales/new_attempts.py", "new.currency, new.token)", "new.currency)"),
        ),
    ),
    Mutant(
        "the currency of a success is not compared",
        "a_gateway_reports_another_currency",
        (
            (
                "charging/believe.py",
                "if (result.amount_minor, result.currency) == (attempt.amount_minor, attempt.currency):",
                "if result.amount_minor == attempt.amount_minor:",
            ),
        ),
    ),
    Mutant(
        "charging off stops no repetition",
        "charging_is_off_while_only_a_repetition_would_tell",
        (("charging/recover.py", "if limits.is_off(run.work.connection):", "if False:"),),
    ),
    Mutant(
        "a copy elsewhere refunds",
        "a_copy_elsewhere_is_to_refund",
        (("charging/refund.py", "    home.check(work.connection)\n", ""),),
    ),
    Mutant(
        "a payment that another copy made was made just now",
        "dates_are_charged_elsewhere_at_a_bank_that_tells_no_times",
        (("charging/due_payments.py", "return dated(known, claimed.due)", "return known"),),
    ),
    Mutant(
        "a killed charge that another copy learnt of was made just now",
        "a_killed_charge_and_later_dates_are_charged_elsewhere",
        (
            (
                "charging/recover.py",
                "due_payments.dated(calls.look_up(claimed.attempt, claimed.gateway), claimed.due)",
                "calls.look_up(claimed.attempt, claimed.gateway)",
            ),
        ),
    ),
    Mutant(
        "lateness by the retry's date",
        "a_retry_was_made_since_a_backup",
        (("charging/elsewhere.py", "now - time.from_text(due.due_at)", "now - time.from_text(due.next_payment_at)"),),
    ),
    Mutant(
        "a look-up that finds nothing is believed at once",
        "a_request_is_looked_up_before_it_arrives",
        (("charging/recover.py", "if age < attempts.IN_TRANSIT_MAX and claimed.attempt.lookups == 0:", "if False:"),),
    ),
    Mutant(
        "the time of a long tick stands still",
        "a_request_late_in_a_long_tick_is_looked_up_early_in_the_next",
        (("charging/due_payments.py", "self.work = self.work.later(time.on_from(*self.began))", "pass"),),
    ),
    Mutant(
        "refunds of other payments count",
        "a_bank_tells_refunds_of_other_payments",
        (("gateways/answers.py", " if one.payment_id == gateway_id", ""),),
    ),
    Mutant(
        "refunds without numbers are one by their amount",
        "two_refunds_of_one_amount_have_no_numbers",
        (("gateways/answers.py", "if number in (None, one.payment_id):", "if False:"),),
    ),
    Mutant(
        "a dispute lost in another currency is closed and forgotten",
        "a_dispute_is_lost_in_another_currency",
        (
            (
                "charging/moved_there.py",
                'if reported.status == "lost" and reported.currency != invoice',
                "if False and invoice",
            ),
        ),
    ),
    Mutant(
        "a lost dispute that was won before moves nothing",
        "a_dispute_that_was_won_is_lost_after_all",
        (("charging/moved_there.py", '(("open", "lost"), ("won", "lost"))', '(("open", "lost"),)'),),
    ),
    Mutant(
        "a refund counts on the day on which it was resolved",
        "a_refund_is_resolved_in_a_later_month",
        (
            (
                "charging/settle.py",
                "    at = _moved_at(attempt, answer, work.now)\n    at = max",
                "    at = work.now\n    at = max",
            ),
        ),
    ),
    Mutant(
        "a due payment that another copy made otherwise",
        "another_copy_paid_otherwise",
        (("charging/due_payments.py", "made = claimed.other.made() if claimed.other else None", "made = None"),),
    ),
    Mutant(
        "recovery of a payment that another copy made otherwise",
        "another_copy_paid_otherwise",
        (("charging/recover.py", MADE_OTHERWISE, "            never ="),),
    ),
    Mutant(
        "a repetition of a payment that another copy made otherwise",
        "another_copy_paid_otherwise_than_by_a_bank_that_cannot_look_up",
        (("charging/recover.py", MADE_OTHERWISE_REPEATED, "    return calls.carry_out"),),
    ),
    Mutant(
        "an order that another copy took otherwise",
        "another_copy_took_an_order_otherwise",
        (("charging/pay.py", "(other and other.made())", "None"),),
    ),
    Mutant(
        "a refund that another copy made by another attempt",
        "another_copy_refunded_after_one_that_was_not_sent",
        (("charging/refund.py", "(other and other.made())", "None"),),
    ),
    Mutant(
        "a declined retry keeps its place in front",
        "a_resumed_plan_that_was_declined_waits_its_turn",
        (("sales/recurring.py", ", wish=None, activated_at=None\n", ", wish=None\n"),),
    ),
    Mutant(
        "a second refund while one is under way",
        "a_second_person_refunds_while_a_refund_is_under_way",
        (
            ("charging/refund.py", PLANNED_REFUND, "pass"),
            ("charging/refund.py", BEGUN_REFUND, "pass"),
        ),
    ),
    Mutant(
        "a second refund that was planned in time",
        "two_persons_plan_one_refund",
        (("charging/refund.py", BEGUN_REFUND, "pass"),),
    ),
    Mutant(
        "completed one minor unit early",
        "an_order_in_parts_lacks_one_minor_unit",
        (("charging/batch.py", "order.price_minor <= paid", "order.price_minor <= paid + 1"),),
    ),
    Mutant(
        "one payment system's pause holds up all",
        "one_payment_system_is_paused_and_another_has_payments_due",
        (
            (
                "sales/recurring.py",
                "(p.paused_until IS NULL OR p.paused_until <= {now})",
                "NOT EXISTS (SELECT 1 FROM payment_systems x WHERE x.paused_until > {now})",
            ),
        ),
    ),
    Mutant(
        "a payment recorded by hand leaves the number",
        "the_due_payment_came_another_way",
        (
            (
                "charging/by_hand.py",
                "due_payments.attempt_of(work, before, system)",
                "replace(due_payments.attempt_of(work, before, system), recurring_id=None)",
            ),
            (
                "charging/by_hand.py",
                "from dataclasses import dataclass\n",
                "from dataclasses import dataclass, replace\n",
            ),
        ),
    ),
    Mutant(
        "a plan is moved to a date that is paid",
        "a_plan_is_moved_to_a_date_that_is_paid",
        (
            (
                "sales/recurring_edit.py",
                "if (paid := _last_paid_date(work, one)) >= moment:",
                "if not (paid := moment):",
            ),
        ),
    ),
    Mutant(
        "a pause ends at the next tick",
        "a_plan_is_paused_until_a_day",
        (("sales/recurring.py", "r.status = 'paused' AND r.resumes_at <= {now}", "r.resumes_at > '' AND '' < {now}"),),
    ),
    Mutant(
        "a pause until a day never ends",
        "a_plan_is_paused_until_a_day",
        (("charging/tick.py", "        _resume(run, only)\n", ""),),
    ),
    Mutant(
        "a resumed plan keeps the end of its pause",
        "a_plan_is_paused_until_a_day",
        (("sales/recurring.py", "after = replace(after, resumes_at=None)", "pass"),),
    ),
    Mutant(
        "a pause that was changed ends all the same",
        "a_pause_that_ends_is_changed_while_tick_resumes",
        (("sales/recurring_actions.py", "if id not in recurring.resuming(work.connection, work.now):", "if False:"),),
    ),
    Mutant(
        "a pause of a payment in flight has no end",
        "a_plan_is_paused_until_a_day_while_its_payment_is_in_doubt",
        (("sales/recurring_actions.py", "wish=wish, resumes_at=resumes_at", "wish=wish"),),
    ),
    Mutant(
        "what was missed is charged after all",
        "a_plan_skips_what_it_missed",
        (("sales/recurring_actions.py", "_skipping(work.now, work.zone) if skip_missed else ", ""),),
    ),
    Mutant(
        "a payment under way is skipped in words only",
        "a_payment_under_way_is_not_skipped",
        (("sales/recurring_actions.py", 'if skip_missed and before.status == "processing":', "if False:"),),
    ),
    Mutant(
        "the order of a skipped date keeps it",
        "a_plan_skips_what_it_missed",
        (
            (
                "sales/recurring_actions.py",
                "            recurring_edit.follow(work, before, after, None)\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "a payment recorded by hand resumes a paused plan",
        "a_resting_plan_is_paid_another_way",
        (("sales/recurring.py", '"paused" if recurring.status == "paused" else "active"', '"active"'),),
    ),
    Mutant(
        "a payment recorded by hand revives a completed plan",
        "a_resting_plan_is_paid_another_way",
        (("sales/recurring.py", '"completed" in (recurring.wish, recurring.status)', 'recurring.wish == "completed"'),),
    ),
    Mutant(
        "a payment is recorded beside a charge",
        "a_payment_is_recorded_while_a_charge_is_under_way",
        (("charging/by_hand.py", 'orders.refuse_while_paying(work.connection, order, "be recorded as paid")', "pass"),),
    ),
    Mutant(
        "a part payment begins a plan",
        "a_plan_waits_for_its_first_order",
        (
            (
                "charging/batch.py",
                '    if order.status == "open" and order.price_minor <= paid:',
                "    if order.every_count is not None and order.recurring_id is None:\n"
                "        batch.afterwards.append(partial(_start, batch.work, order.id, paid_at))\n"
                '    if order.status == "open" and order.price_minor <= paid:',
            ),
        ),
    ),
    Mutant(
        "a plan outlives its refunded order unasked",
        "a_plan_waits_for_its_first_order",
        (("sales/recurring_actions.py", "if found is not None and completes is None:", "if False:"),),
    ),
    Mutant(
        "a plan outlives the refund whose answer was lost",
        "the_refund_that_ends_a_plan_is_cut",
        (
            (
                "charging/refund.py",
                'whole and answer.became in ("succeeded", "unknown")',
                'whole and answer.became == "succeeded"',
            ),
        ),
    ),
    Mutant(
        "a payment taken back is charged without a person",
        "a_recorded_payment_is_taken_back",
        (
            ("charging/undo.py", 'plan, status="processing", wish=wish', 'plan, status="active", wish=wish'),
            (
                "charging/undo.py",
                "        attempts.reopen(work.connection, attempt, work.now)\n    invoices",
                "    invoices",
            ),
        ),
    ),
    Mutant(
        "a payment recorded ahead and taken back is forgotten",
        "a_payment_recorded_ahead_is_taken_back",
        (("charging/undo.py", "attempt.started_at < order.due_at", "False"),),
    ),
    Mutant(
        "a failed payment taken back is tried again",
        "a_failed_payment_is_recorded_by_mistake",
        (("charging/undo.py", "failed = declined > 0 and declines == 0", "failed = False"),),
    ),
    Mutant(
        "what waits again pays an order twice",
        "what_waits_again_buys_what_is_left",
        (("charging/by_hand.py", "return min(share, left)", "return share"),),
    ),
    Mutant(
        "what a gateway did is taken back",
        "a_recorded_payment_is_taken_back",
        (("charging/undo.py", "if not system.manual:", "if False:"),),
    ),
    Mutant(
        "a payment that is being made changes its price",
        "the_price_changes_between_attempts",
        (("sales/recurring_edit.py", 'before.status in ("processing", "completed")', 'before.status == "completed"'),),
    ),
    Mutant(
        "another quantity of a plan loses its discount",
        "the_quantity_of_a_discounted_plan_is_given_again",
        (("sales/recurring_edit.py", "one.discount_minor if given.price is None else 0", "0"),),
    ),
    Mutant(
        "the invoice of a payment between attempts keeps the old price",
        "the_price_changes_between_attempts",
        (("sales/recurring_edit.py", "        follow(work, before, after, why)\n", ""),),
    ),
    Mutant(
        "a refund takes back nothing of what was earned",
        "what_plans_and_managers_brought_is_reported",
        (("reports/earned.py", "return earned if net >= 0 else -earned", "return earned"),),
    ),
    Mutant(
        "only the last share earns",
        "what_plans_and_managers_brought_is_reported",
        (("reports/earned.py", 'kept["earned"] += earned', 'kept["earned"] = earned'),),
    ),
    Mutant(
        "a share holds from the day after",
        "what_plans_and_managers_brought_is_reported",
        (("rules/sale_shares.py", "if since <= day), 0)", "if since < day), 0)"),),
    ),
    Mutant(
        "what a closed month earned may change within it",
        "what_plans_and_managers_brought_is_reported",
        (("rules/sale_shares.py", "        if any(on(before", "        if all(on(before"),),
    ),
    Mutant(
        "a plan that fails is no churn",
        "what_plans_and_managers_brought_is_reported",
        (("reports/recurring.py", 'counts["failed"] + counts["ended_early"]', 'counts["ended_early"]'),),
    ),
    Mutant(
        "every payment is one that recovered",
        "what_plans_and_managers_brought_is_reported",
        (("reports/recurring.py", "            if declined:\n", "            if True:\n"),),
    ),
    Mutant(
        "a year's plan is worth its price a month",
        "what_plans_and_managers_brought_is_reported",
        (("reports/recurring.py", "(count * _MONTHS[unit])", "(1 * _MONTHS[unit])"),),
    ),
    Mutant(
        "an average is rounded up",
        "what_plans_and_managers_brought_is_reported",
        (("overview/glance.py", "(2 * self.gross + self.payments)", "(2 * self.gross + 2 * self.payments)"),),
    ),
    Mutant(
        "what only was before is left out",
        "what_plans_and_managers_brought_is_reported",
        (("reports/comparison.py", "for row in earlier.values()", "for row in ()"),),
    ),
    Mutant(
        "a difference is the wrong way round",
        "what_plans_and_managers_brought_is_reported",
        (("reports/comparison.py", "else now - then", "else then - now"),),
    ),
    Mutant(
        "the rest of what is shared is lost",
        "other_systems_files_come_in",
        (("imports/shares.py", "        shares[0] += rest\n        return shares", "        return shares"),),
    ),
    Mutant(
        "what equal amounts come to is taken from a row without the refund",
        "other_systems_files_come_in",
        (
            (
                "imports/order_reader.py",
                '"rate", "funds_credited", "refunded", "fee",',
                '"rate", "funds_credited", "fee",',
            ),
        ),
    ),
    Mutant(
        "many new orders are counted for their months alone",
        "many_orders_come_in_beside_far_more",
        (("storage/totals.py", """, (ALL_TIME, "''", "")):""", "):"),),
    ),
    Mutant(
        "many new orders are counted without those that are there",
        "many_orders_come_in_beside_far_more",
        (
            (
                "storage/totals.py",
                "{name} = totals.{name} + excluded.{name}' for name in SUMS)}\"\n                )",
                "{name} = excluded.{name}' for name in SUMS)}\"\n                )",
            ),
        ),
    ),
    Mutant(
        "a long import takes the file from who awaits an answer",
        "a_long_file_comes_in_while_a_payment_is_made",
        (
            ("storage/sqlite/beside.py", "    if is_awaited(held):", "    if False:"),
            ("storage/sqlite/beside.py", """for of in ("tick", "notify"):""", "for of in ():"),
        ),
    ),
    Mutant(
        "a long import lets others write into the old file",
        "somebody_sells_while_a_long_file_comes_in",
        (("storage/sqlite/beside.py", "    return True\n", """    held.execute("ROLLBACK")\n    return True\n"""),),
    ),
    Mutant(
        "refunds that are staged are not moved",
        "other_systems_files_come_in",
        (
            (
                "imports/stage.py",
                "        if self._staged[table]:\n",
                '        if self._staged[table] and table != "refunds":\n',
            ),
        ),
    ),
    Mutant(
        "a refund that is a row of its own is taken for less",
        "other_systems_files_come_in",
        (
            (
                "imports/mapped_order.py",
                "            left[place] -= minor\n            if minor:",
                "            if False:",
            ),
        ),
    ),
    Mutant(
        "a value with a condition is read without it",
        "other_systems_files_come_in",
        (("imports/mapped_cells.py", "        if not value.applies(cells):\n            return None\n", ""),),
    ),
    Mutant(
        "a subscription of several units costs one",
        "other_systems_subscriptions_come_in",
        (("imports/mapped_cells.py", "            amount *= self._units(value, cells)\n", ""),),
    ),
    Mutant(
        "a subscription of every three months is paid each month",
        "other_systems_subscriptions_come_in",
        (
            (
                "imports/mapped_recurring.py",
                "    return next((one for one in longer if",
                "    return next((one for one in () if",
            ),
        ),
    ),
    Mutant(
        "a subscription that was cancelled for its end goes on",
        "other_systems_subscriptions_come_in",
        (("imports/mapped_recurring.py", "COMPLETED if ended else", ""),),
    ),
    Mutant(
        "a subscription is paid after its end",
        "other_systems_subscriptions_come_in",
        (("imports/mapped_recurring.py", '{**interval, "payments": str(left)} if left', "interval if left"),),
    ),
    Mutant(
        "a fee in another currency is written in the payment's",
        "other_systems_files_come_in",
        (
            (
                "imports/mapped_order.py",
                "fee_in = charged if charged in money.EXPONENTS else paid_in",
                "fee_in = paid_in",
            ),
        ),
    ),
    Mutant(
        "a refund of no payment of the file is taken for an order's",
        "other_systems_files_come_in",
        (("imports/mapped.py", "            elif kind.otherwise:\n", "            elif False:\n"),),
    ),
    Mutant(
        "of two equal refunds at one time one is lost",
        "refunds_of_one_payment_come_in",
        (("imports/refunds.py", "int(row[0]) >= place", "int(row[0]) >= 1"),),
    ),
    Mutant(
        "a refund in another currency is taken for the payment's",
        "refunds_of_one_payment_come_in",
        (("imports/mapped_order.py", "if its_own.upper() != currency:", "if False:"),),
    ),
    Mutant(
        "what is left due is not counted",
        "a_tick_says_what_it_leaves_due",
        (("charging/left_due.py", "counts.left += one.payments", "pass"),),
    ),
    Mutant(
        "a payment system that is away is no reason",
        "a_tick_says_what_it_leaves_due",
        (("charging/left_due.py", "elif id in run.stopped:", "elif False:"),),
    ),
    Mutant(
        "a card that expires is told every day",
        "a_card_expires_before_a_payment",
        (("charging/card_expiry.py", "(c.told IS NULL OR c.told <> c.expires)", "1"),),
    ),
    Mutant(
        "a card that expires is told too early",
        "a_card_expires_before_a_payment",
        (("charging/card_expiry.py", "NOTICE = timedelta(days=14)", "NOTICE = timedelta(days=15)"),),
    ),
    Mutant(
        "a card is good for one month more",
        "a_card_expires_before_a_payment",
        (
            (
                "charging/card_expiry.py",
                "date(year + month // 12, month % 12 + 1, 1)",
                "date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)",
            ),
        ),
    ),
)


def mutated(mutant: Mutant, directory: Path) -> None:
    """Make a copy of the package with the mistake in ``directory``. Raise LookupError when a text is not there once."""
    half_written = shutil.ignore_patterns("*.pyc.*")  # of another process; whole ones spare the compiling
    shutil.copytree(PROJECT / "salescli", directory / "salescli", ignore=half_written)
    (directory / "tests").symlink_to(PROJECT / "tests")
    for name, old, new in mutant.patches:
        file = directory / "salescli" / name
        text = file.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise LookupError(f"{mutant.name}: {name} holds {old!r} {text.count(old)} times; mend this mutant")
        file.write_text(text.replace(old, new), encoding="utf-8")
        Path(cache_from_source(str(file))).unlink(missing_ok=True)  # of the text without the mistake


def catch(mutant: Mutant) -> subprocess.CompletedProcess[str]:
    """Run a mutant's scenario against it; its exit code is CAUGHT, 0 when it survived, else it could not be run.

    It furnishes its file itself if the mistake may show in that.
    """
    with tempfile.TemporaryDirectory() as directory:
        mutated(mutant, Path(directory))
        line = [sys.executable, "-m", "tests.faults.mutants", mutant.scenario]
        if not any(file.startswith(_FURNISHING) for file, *_ in mutant.patches):
            line.append("furnished.db")
            Path(directory, line[-1]).write_bytes(furnished())
        return subprocess.run(line, cwd=directory, capture_output=True, text=True, timeout=120)


def play(name: str, file: str | None = None) -> int:
    """Play a scenario against the package that is imported here, on a furnished file, and return the exit code."""
    from tests.faults.scenarios import SCENARIOS
    from tests.faults.world import World

    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), file=Path(file).read_bytes() if file else None)
        try:
            SCENARIOS[name](world)
        except Exception:
            traceback.print_exc()
            return CAUGHT
        finally:
            world.close()
    return 0


if __name__ == "__main__":
    sys.exit(play(*sys.argv[1:]))
