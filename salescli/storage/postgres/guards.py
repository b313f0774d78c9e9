"""What a server's triggers refuse, so that nobody but its administrator changes the past or acts in another's name.

A person is who the server let in (``session_user``), whatever a client says or sets. All functions are the
administrator's: they run with his rights and find his tables first, so that no table, right or setting of the caller's
changes what they see. The administrator, who owns the tables and could switch the triggers off, passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from salescli.rules import permissions
from salescli.storage.clauses import month_of
from salescli.storage.postgres import sums
from salescli.storage.totals import FACTS

REFUSED, UNKNOWN = "SALE1", "SALE2"  # the codes of what is refused here: not permitted, or a login that is missing
# Settings that tick writes, or who may run it; all else is entered once, by init.
_OF_TICK = (
    "charging_off", "charges_per_tick", "charges_per_day", "cards_looked_on", "home", "resumed_at", "known_until",
)  # fmt: skip
_FACTS = ", ".join(FACTS)
# A line of history of this transaction: whoever writes is alone, so that its lines are the youngest. One's own, since
# who has a number early, and writes late, would see those of others.
_HERE = """user_id = (SELECT id FROM users WHERE login = session_user)
      AND age(xmin) <= age(pg_current_xact_id()::xid)"""

# name and arguments, result, language, body
_FUNCTIONS = (
    (
        "administers()",
        "boolean",
        "sql",
        "SELECT pg_has_role(session_user, nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = current_schema()",
    ),
    (
        "may(wanted text)",
        "boolean",
        "sql",
        f"""
  SELECT administers() OR EXISTS (SELECT 1 FROM users u JOIN roles r ON r.name = u.role WHERE u.login = session_user
    AND u.active = 1 AND string_to_array(r.permissions, ' ') && ARRAY[wanted, '{permissions.ACT_FOR_OTHERS}'])""",
    ),
    (
        "count_again()",
        "void",
        "sql",
        f"""
  DELETE FROM totals;
  DELETE FROM facts;
  DELETE FROM {sums.TABLE};
  DELETE FROM totals; -- what was taken off them at once, where constraints are IMMEDIATE
  INSERT INTO facts (id, {_FACTS}) SELECT id, {_FACTS} FROM counted ORDER BY id;
  SELECT add_changes()""",
    ),
)
# name, body in PL/pgSQL between BEGIN and END
_REFUSALS = (
    # Who began before a month was closed would not see that it is; and two who write at once would not see each other.
    (
        "one_writer",
        """
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    {refuse: 'write in READ COMMITTED: another isolation does not see what was closed meanwhile'}
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('salescli'), hashtext(current_schema()));
  RETURN NULL;""",
    ),
    (
        "needs_permission",
        """
  IF NOT may(TG_ARGV[0]) THEN {refuse: 'it needs the permission ' || TG_ARGV[0]} END IF;
  RETURN NULL;""",
    ),
    (
        "written_by_oneself",
        f"""
  IF administers() THEN RETURN NULL; END IF;
  IF EXISTS (SELECT 1 FROM new_rows WHERE user_id IS DISTINCT FROM (SELECT id FROM users WHERE login = session_user))
  THEN {{refuse: 'a line of history names who writes it, and nobody else'}} END IF;
  IF EXISTS (SELECT 1 FROM new_rows WHERE for_user_id IS NOT NULL) AND NOT may('{permissions.ACT_FOR_OTHERS}')
  THEN {{refuse: 'it needs the permission {permissions.ACT_FOR_OTHERS}'}} END IF;
  IF EXISTS (SELECT 1 FROM new_rows, (SELECT
      extract(epoch FROM clock_timestamp())::bigint - 24 * 3600 AS early,
      extract(epoch FROM clock_timestamp())::bigint + 3600 AS late OFFSET 0) AS near
    WHERE coalesce(written_at, at) NOT BETWEEN early AND late)
  THEN {{refuse: 'a line of history says when it is written'}} END IF;
  IF (SELECT count(*) FROM history WHERE id >= (SELECT min(id) FROM new_rows)) <> (SELECT count(*) FROM new_rows)
  THEN {{refuse: 'a line of history comes after all others'}} END IF;
  RETURN NULL;""",
    ),
    # At the end of the transaction, in which a line says so.
    (
        "is_noted",
        f"""
  DECLARE wanted text;
  BEGIN
    IF administers() THEN RETURN NULL; END IF;
    IF TG_TABLE_NAME = 'closed_months' THEN
      wanted := CASE TG_OP WHEN 'INSERT' THEN 'closed ' || NEW.month ELSE 'reopened ' || OLD.month END;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM history WHERE id > (SELECT max(id) - 1000 FROM history) AND subject = ANY (TG_ARGV)
      AND (wanted IS NULL OR what = wanted) AND {_HERE})
    THEN {{refuse: 'what is done to ' || TG_TABLE_NAME || ' is noted in the history'}} END IF;
    RETURN NULL;
  END;""",
    ),
    # Where the money goes to is said once: what was sent keeps its meaning. Erasing forgets a token.
    (
        "attempt_stays",
        """
  IF ((OLD.id, OLD.kind, OLD.invoice_id, OLD.customer_id, OLD.recurring_id, OLD.number, OLD.reference,
      OLD.amount_minor, OLD.currency) IS DISTINCT FROM (NEW.id, NEW.kind, NEW.invoice_id, NEW.customer_id,
      NEW.recurring_id, NEW.number, NEW.reference, NEW.amount_minor, NEW.currency)
    OR NEW.token IS NOT NULL AND NEW.token IS DISTINCT FROM OLD.token OR NEW.fence < OLD.fence)
    AND NOT administers()
  THEN {refuse: 'what an attempt is, and its fence, do not change'} END IF;
  RETURN NEW;""",
    ),
    # At the end of the transaction: a line of the record, of the order that it belongs to, or of what many belong to.
    # Tick waits for it, so it asks for the likely line first. That an attempt begins, who works on it, and when it is
    # looked up next stand in no line, nor do a digest of an import and when a fee is asked for.
    (
        "is_told",
        f"""
  DECLARE about bigint; of_order bigint; silent text[] := ARRAY['fee_due_at', 'imported_as'];
  BEGIN
    IF TG_TABLE_NAME IN ('attempts', 'refunds') THEN about := coalesce(NEW.invoice_id, OLD.invoice_id);
    ELSE about := OLD.id;
    END IF;
    IF EXISTS (SELECT 1 FROM history WHERE subject = TG_ARGV[0] AND subject_id = about AND {_HERE})
    THEN RETURN NULL; END IF;
    IF administers() THEN RETURN NULL; END IF;
    IF TG_TABLE_NAME = 'recurring' THEN
      SELECT id INTO of_order FROM orders WHERE recurring_id = about ORDER BY payment_number DESC LIMIT 1;
    ELSIF TG_TABLE_NAME = 'invoices' THEN of_order := OLD.order_id;
    ELSIF TG_TABLE_NAME <> 'orders' THEN SELECT order_id INTO of_order FROM invoices WHERE id = about;
    END IF;
    IF EXISTS (SELECT 1 FROM history WHERE subject = 'order' AND subject_id = of_order AND {_HERE})
    THEN RETURN NULL; END IF;
    IF TG_TABLE_NAME = 'attempts' THEN
      silent := ARRAY['owner', 'owned_at', 'fence', 'lookups', 'next_lookup_at', 'gateway_id', 'code', 'message'];
      IF NEW.status <> 'live' THEN silent := ARRAY['given_up'];
      ELSIF TG_OP = 'INSERT' THEN RETURN NULL;
      END IF;
    END IF;
    IF to_jsonb(OLD) - silent = to_jsonb(NEW) - silent THEN RETURN NULL; END IF;
    IF EXISTS (SELECT 1 FROM history WHERE id > (SELECT max(id) - 1000 FROM history) AND {_HERE} AND subject IN
      ('import', 'customer', 'user', 'offer', 'category', 'payment system'))
    THEN RETURN NULL; END IF;
    {{refuse: 'what is done to ' || TG_TABLE_NAME || ' is noted in the history'}}
  END;""",
    ),
    (
        "sale_is_closed",
        f"""
  IF (OLD.manager_id, OLD.confirmed, OLD.offer_id, OLD.category_id)
    IS DISTINCT FROM (NEW.manager_id, NEW.confirmed, NEW.offer_id, NEW.category_id)
    AND EXISTS (SELECT 1 FROM closed_months WHERE month = {month_of("OLD.completed_on")})
  THEN {{closed}} END IF;
  RETURN NEW;""",
    ),
    (
        "payment_is_closed",
        f"""
  IF (OLD.order_id, OLD.payment_system_id) IS DISTINCT FROM (NEW.order_id, NEW.payment_system_id)
    AND EXISTS (SELECT 1 FROM closed_months WHERE month = {month_of("OLD.paid_on")})
  THEN {{closed}} END IF;
  RETURN NEW;""",
    ),
    (
        "setting_of_tick",
        f"""
  IF NOT may('{permissions.MANAGE_USERS}') AND NOT (may('{permissions.RUN_TICK}')
    AND (NEW.name IN ({", ".join(f"'{name}'" for name in _OF_TICK)}) OR NEW.name LIKE 'money!_per!_%' ESCAPE '!'
    OR NEW.name = 'lease_notify'))
  THEN {{refuse: 'you may not change the setting ' || NEW.name}} END IF;
  RETURN NEW;""",
    ),
    # Imports name managers who never log in.
    (
        "user_of_an_import",
        f"""
  IF (NEW.login IS NOT NULL OR NEW.role IS NOT NULL) AND NOT may('{permissions.MANAGE_USERS}')
  THEN {{refuse: 'it needs the permission {permissions.MANAGE_USERS}'}} END IF;
  RETURN NEW;""",
    ),
    (
        "numbers_grow",
        """
  IF NEW.name <> OLD.name OR NEW.seq < OLD.seq THEN {refuse: 'no number is given twice'} END IF;
  RETURN NEW;""",
    ),
    (
        "rights_follow_users",
        """
  IF TG_OP = 'INSERT' THEN PERFORM give_rights(ARRAY(SELECT login FROM new_rows));
  ELSE PERFORM give_rights(ARRAY(SELECT unnest(ARRAY[o.login, n.login]) FROM old_rows o JOIN new_rows n USING (id)
    WHERE (o.login, o.role, o.active) IS DISTINCT FROM (n.login, n.role, n.active)));
  END IF;
  RETURN NULL;""",
    ),
    (
        "rights_follow_roles",
        """
  PERFORM give_rights(ARRAY(SELECT u.login FROM users u JOIN new_rows r ON r.name = u.role));
  RETURN NULL;""",
    ),
)
_MONTHS, _ERASE = permissions.MANAGE_SALES, permissions.ERASE
_CLOSED = "RAISE EXCEPTION USING MESSAGE = 'a closed month does not change', ERRCODE = 'check_violation';"
_AT_THE_END = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
# name, when and on which table, what else it says, function with its argument
_TRIGGERS = (
    *(
        (f"{table}_one_writer", f"BEFORE INSERT OR UPDATE OR DELETE ON {table}", "", "one_writer()")
        for table in ("orders", "invoices", "refunds", "closed_months", "history")
    ),
    ("totals_one_writer", "BEFORE DELETE ON totals", "", "one_writer()"),  # who counts again
    ("closed_months_by", "BEFORE INSERT OR DELETE ON closed_months", "", f"needs_permission('{_MONTHS}')"),
    ("closed_months_noted", "AFTER INSERT OR DELETE ON closed_months", _AT_THE_END, "is_noted('file')"),
    ("users_added_noted", "AFTER INSERT ON users", f"{_AT_THE_END} WHEN (NEW.login IS NOT NULL)", "is_noted('user')"),
    ("users_noted", "AFTER UPDATE ON users", _AT_THE_END, "is_noted('user', 'role')"),
    ("roles_noted", "AFTER INSERT OR UPDATE ON roles", _AT_THE_END, "is_noted('role')"),
    ("orders_told", "AFTER UPDATE ON orders", _AT_THE_END, "is_told('order')"),
    ("invoices_told", "AFTER UPDATE OR DELETE ON invoices", _AT_THE_END, "is_told('invoice')"),
    ("recurring_told", "AFTER UPDATE ON recurring", _AT_THE_END, "is_told('recurring')"),
    ("attempts_told", "AFTER INSERT OR UPDATE ON attempts", _AT_THE_END, "is_told('invoice')"),
    ("attempts_stay", "BEFORE UPDATE ON attempts", "FOR EACH ROW", "attempt_stays()"),
    ("refunds_told", "AFTER INSERT OR UPDATE OR DELETE ON refunds", _AT_THE_END, "is_told('invoice')"),
    ("closed_sales", "BEFORE UPDATE ON orders", "FOR EACH ROW", "sale_is_closed()"),
    ("closed_payments", "BEFORE UPDATE ON invoices", "FOR EACH ROW", "payment_is_closed()"),
    ("invoices_by", "BEFORE DELETE ON invoices", "", f"needs_permission('{permissions.IMPORT}')"),
    ("texts_by", "BEFORE UPDATE ON texts", "", f"needs_permission('{_ERASE}')"),
    ("history_by", "AFTER INSERT ON history", "REFERENCING NEW TABLE AS new_rows", "written_by_oneself()"),
    ("settings_by", "BEFORE INSERT OR UPDATE ON settings", "FOR EACH ROW", "setting_of_tick()"),
    ("users_by", "BEFORE INSERT ON users", "FOR EACH ROW", "user_of_an_import()"),
    ("sqlite_sequence_by", "BEFORE UPDATE ON sqlite_sequence", "FOR EACH ROW", "numbers_grow()"),
    ("users_added", "AFTER INSERT ON users", "REFERENCING NEW TABLE AS new_rows", "rights_follow_users()"),
    ("users_changed", "AFTER UPDATE ON users",
        "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows", "rights_follow_users()"),
    ("roles_changed", "AFTER UPDATE ON roles", "REFERENCING NEW TABLE AS new_rows", "rights_follow_roles()"),
)  # fmt: skip


def names() -> frozenset[str]:
    """Return the names of the triggers."""
    return frozenset(name for name, *_ in _TRIGGERS)


def statements(groups: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """Yield the statements that make functions and triggers, in the schema that comes first in the path.

    ``groups``: the server's groups by name, the strongest first, each with the permissions that need it.
    """
    for name, result, language, body in _FUNCTIONS:
        yield _function(name, result, language, body)
    yield _function("give_rights(logins text[])", "void", "plpgsql", _give_rights(groups))
    for name, body in _REFUSALS:
        yield _function(f"{name}()", "trigger", "plpgsql", f"BEGIN{_with_refusals(body)}\nEND")
    for name, when, more, function in _TRIGGERS:
        kind = "CONSTRAINT TRIGGER" if "DEFERRABLE" in more else "TRIGGER"
        each = "" if "FOR EACH" in more else " FOR EACH STATEMENT"
        yield f"CREATE {kind} {name} {when} {more}{each} EXECUTE FUNCTION {function}"
    yield _NOT_FOR_ALL


# Such a function could be put on a table of one's own, and write what that table says.
_NOT_FOR_ALL = """
DO $$
DECLARE one regprocedure;
BEGIN
  FOR one IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    AND (prosecdef OR prorettype = 'trigger'::regtype)
  LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', one); END LOOP;
END$$"""


def _function(name: str, result: str, language: str, body: str) -> str:
    return (
        f"CREATE FUNCTION {name} RETURNS {result} LANGUAGE {language} SECURITY DEFINER SET search_path FROM CURRENT"
        f" AS $body${body}$body$"
    )


def _with_refusals(body: str) -> str:
    """Return a body in which ``{refuse: text}`` raises that text, and ``{closed}`` what the tables' own triggers do."""
    parts = body.split("{refuse: ")
    for place, part in enumerate(parts[1:], 1):
        message, _, rest = part.partition("}")
        parts[place] = f"RAISE EXCEPTION USING MESSAGE = {message}, ERRCODE = '{REFUSED}';{rest}"
    return "".join(parts).replace("{closed}", _CLOSED)


def _give_rights(groups: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return the body that makes people members of the group that their role needs, and of no other.

    Whoever has no role, is not active, or is no user of the shop has none.
    """
    names, cases = [], []
    for name, needing in groups:
        quoted = "'" + name.replace("'", "''") + "'"
        listed = ", ".join(f"'{permission}'" for permission in needing)
        names.append(quoted)
        cases.append(f"WHEN string_to_array(r.permissions, ' ') && ARRAY[{listed}] THEN {quoted}")
    return f"""
DECLARE one text; wanted text; other text; missing text[] := '{{}}'; known boolean;
BEGIN
  FOR one IN SELECT DISTINCT login FROM unnest(logins) AS login WHERE login IS NOT NULL ORDER BY 1 LOOP
    SELECT CASE {" ".join(cases)} END INTO wanted
      FROM users u JOIN roles r ON r.name = u.role WHERE u.login = one AND u.active = 1;
    SELECT true INTO known FROM pg_roles WHERE rolname = one AND rolcanlogin;
    IF known IS NULL AND wanted IS NOT NULL THEN missing := missing || one; END IF;
    CONTINUE WHEN known IS NULL OR pg_has_role(one, current_user, 'MEMBER');  -- the administrator needs no group
    FOR other IN SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
      WHERE m.member = quote_ident(one)::regrole AND g.rolname IN ({", ".join(names)})
      AND g.rolname IS DISTINCT FROM wanted
    LOOP EXECUTE format('REVOKE %I FROM %I', other, one); END LOOP;
    IF wanted IS NOT NULL THEN EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE', wanted, one); END IF;
    SELECT g.rolname INTO other FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
      WHERE m.member = quote_ident(one)::regrole AND g.rolname IN ({", ".join(names)})
      AND g.rolname IS DISTINCT FROM wanted;
    IF other IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = '{UNKNOWN}', MESSAGE = format('%s was given rights past salescli, and would keep'
        ' them; an administrator of the server takes them back in psql: REVOKE %I FROM %I', one, other, one);
    END IF;
  END LOOP;
  IF missing <> '{{}}' THEN
    RAISE EXCEPTION USING ERRCODE = '{UNKNOWN}',
      MESSAGE = 'the server knows no login ' || array_to_string(missing, ', ');
  END IF;
END"""
