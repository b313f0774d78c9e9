"""Recovery: find out what became of the attempts that a dead process, or a cut line, left in flight.

abandoned → take over (fence) COMMIT → look up, never charge blindly → ``settle_all`` COMMIT
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from salescli import attempts, charging, clock, db, gateways, payment_systems
from salescli.attempts import Attempt
from salescli.charging import Claimed, Run
from salescli.gateways import Answer

IN_DOUBT_MAX = timedelta(days=3)  # then every run tells a person of it


def recover(this: Run) -> None:
    """Settle what is in flight and nobody works on; the first act of every tick."""
    for abandoned in attempts.abandoned(this.connection, this.now):
        claimed = _taken_over(this, abandoned)
        if claimed is not None:
            this.counts.recovered += sum(charging.settle_all(this, [(claimed, _found_out(this, claimed))]))


def tell_of_doubts(this: Run) -> None:
    """Name the payments that have been in doubt for days: only a person can find out."""
    rows = this.connection.execute(
        "SELECT a.invoice_id, a.reference, a.started_at, p.name FROM attempts a"
        " JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual' AND a.started_at < ?",
        (clock.utc_text(this.now - IN_DOUBT_MAX),),
    )
    for row in rows:
        since = clock.local_text(row["started_at"], this.zone)
        this.counts.for_a_person.append(
            f"invoice {row['invoice_id']} has been in doubt since {since}: ask {row['name']} what became of"
            f" {row['reference']}, then salescli payments resolve {row['invoice_id']}"
        )


def _taken_over(this: Run, abandoned: Attempt) -> Claimed | None:
    with db.transaction(this.connection):
        attempt = attempts.take_over(this.connection, abandoned, this.now)
        if attempt is None:
            return None
        system = payment_systems.get(this.connection, attempt.payment_system_id)
        request = attempts.request_of(this.connection, attempt)
    return Claimed(attempt, system, this.gateways(system), request)


def _found_out(this: Run, claimed: Claimed) -> Answer:
    """Return what became of an attempt: by look-up, and where the gateway never heard of it by the same call again.

    A gateway that can neither look up nor tell a repetition is never asked to charge again: a person must find out.
    """
    able = gateways.able(claimed.gateway)
    if isinstance(able, Answer):
        return replace(able, became="unknown")
    if "lookup" in able:
        answer = attempts.look_up(claimed.attempt, claimed.gateway)
        if answer.became in ("not_sent", "misconfigured"):
            # The look-up did not get through; that says nothing about the charge.
            return replace(answer, became="unknown")
        if answer.became != "not_found":
            return answer
    elif not _still_idempotent(this, claimed, able):
        return Answer("unknown", message=f"{claimed.system.name} cannot tell; only a person can find out")
    return attempts.call(claimed.attempt, claimed.request, claimed.gateway)


def _still_idempotent(this: Run, claimed: Claimed, able: frozenset[str]) -> bool:
    """Tell whether the gateway would still know a repetition of the attempt's reference from a new charge."""
    seconds = claimed.gateway.key_ttl_seconds
    age = (this.now - clock.from_text(claimed.attempt.started_at)).total_seconds()
    return "idempotent" in able and (seconds is None or age < seconds)
