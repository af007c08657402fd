-- schema.sql - the database of one shard. Migration N brings a file from version N - 1 to N
-- (PRAGMA user_version); never edit one that was released, add the next. Times are milliseconds
-- since 1970, 0 is "none"; ids are tide_id. Every index says what needs it; there are no others.

-- migration 1

-- One row. last_id: the greatest id among rows that were pruned; probe: written to learn whether
-- the disk takes writes again.
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    last_id  INTEGER NOT NULL,
    probe    INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0);

-- How many rows there are of each kind (enum tallied in rows.h), kept by every write: counting a
-- million rows for each look at the status would be too slow.
CREATE TABLE tally (
    what  INTEGER PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;

-- A recipient domain with the verdict that verification found. The UNIQUE of `name` finds it.
CREATE TABLE domain (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    kind        INTEGER NOT NULL DEFAULT 0,
    provider    TEXT NOT NULL DEFAULT '',
    gateway     TEXT NOT NULL DEFAULT '',
    reason      TEXT NOT NULL DEFAULT '',
    evidence    TEXT NOT NULL DEFAULT '',
    found_at    INTEGER NOT NULL DEFAULT 0,
    valid_until INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A mailbox, by the normal form of its address (the UNIQUE finds it). `plan` is the planner's blob.
CREATE TABLE recipient (
    id        INTEGER PRIMARY KEY,
    address   TEXT NOT NULL UNIQUE,
    domain_id INTEGER NOT NULL REFERENCES domain,
    plan      BLOB NOT NULL DEFAULT x''
) STRICT;

-- Who is not to be mailed. By address, because one may be listed before any mail is for it.
CREATE TABLE suppression (
    address    TEXT PRIMARY KEY,
    cause      TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What of one recipient, application and sender identity may go into one digest. The counters are
-- those of struct group_pending; `fresh` of the pending ones are "accepted", the others "held".
-- A hold of the whole group stands here once: it is that of every pending notification whose `hold`
-- differs from the group's. The UNIQUE finds a group, and all groups of a recipient.
CREATE TABLE recipient_group (
    id           INTEGER PRIMARY KEY,
    recipient_id INTEGER NOT NULL REFERENCES recipient,
    application  TEXT NOT NULL,
    identity     TEXT NOT NULL,
    urgent       INTEGER NOT NULL DEFAULT 0,
    single       INTEGER NOT NULL DEFAULT 0,
    digestible   INTEGER NOT NULL DEFAULT 0,
    fresh        INTEGER NOT NULL DEFAULT 0,
    releasing    INTEGER NOT NULL DEFAULT 0,
    oldest_at    INTEGER NOT NULL DEFAULT 0,
    deadline_at  INTEGER NOT NULL DEFAULT 0,
    not_before   INTEGER NOT NULL DEFAULT 0,
    due_at       INTEGER NOT NULL DEFAULT 0,
    hold         INTEGER NOT NULL DEFAULT 0,
    hold_at      INTEGER NOT NULL DEFAULT 0,
    hold_due_at  INTEGER NOT NULL DEFAULT 0,
    hold_reason  TEXT NOT NULL DEFAULT '',
    hold_limit   TEXT NOT NULL DEFAULT '',
    UNIQUE (recipient_id, application, identity)
) STRICT;

-- The queue as people look at it: by release time, page after page.
CREATE INDEX group_queue ON recipient_group (due_at) WHERE oldest_at > 0;

-- A message, once for all submissions of the same bytes that come close together (rows.h, struct
-- body_recent). An index by hash would find the others too, at the price of one page written anew
-- for every message. `uses`: submissions of it, the last one takes it along. The message comes
-- last, so that reading the size does not walk its pages.
CREATE TABLE body (
    id      INTEGER PRIMARY KEY,
    uses    INTEGER NOT NULL DEFAULT 1,
    size    INTEGER NOT NULL,
    message BLOB NOT NULL
) STRICT;

-- What was handed over at once. `notifications` of it are still stored; the last one takes it along.
CREATE TABLE submission (
    id            INTEGER PRIMARY KEY,
    body_id       INTEGER NOT NULL REFERENCES body,
    notifications INTEGER NOT NULL,
    stream        TEXT NOT NULL,
    sender        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    message_id    TEXT NOT NULL,
    thread        TEXT NOT NULL,
    key           TEXT NOT NULL,
    ret           TEXT NOT NULL,
    envid         TEXT NOT NULL,
    item_title    TEXT NOT NULL,
    item_url      TEXT NOT NULL,
    item_text     TEXT NOT NULL,
    item_icon     TEXT NOT NULL,
    drop_late     INTEGER NOT NULL
) STRICT;

-- A message for one recipient. class: 0 urgent, 1 single, 2 digestible.
CREATE TABLE notification (
    id            INTEGER PRIMARY KEY,
    submission_id INTEGER NOT NULL REFERENCES submission,
    group_id      INTEGER NOT NULL REFERENCES recipient_group,
    state         INTEGER NOT NULL,
    class         INTEGER NOT NULL,
    priority      INTEGER NOT NULL,
    hold          INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    accepted_at   INTEGER NOT NULL,
    deadline_at   INTEGER NOT NULL,
    not_before    INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    due_at        INTEGER NOT NULL DEFAULT 0,
    attempt_id    INTEGER NOT NULL DEFAULT 0,
    address       TEXT NOT NULL,
    notify        TEXT NOT NULL,
    orcpt         TEXT NOT NULL,
    reason        TEXT NOT NULL DEFAULT '',
    limit_name    TEXT NOT NULL DEFAULT ''
) STRICT;

-- What is pending in a group in the order of release (claims), and all that its counters are made
-- of, so that recounting reads this index alone (which SQLite does only with `state` in it, too).
CREATE INDEX notification_pending
    ON notification (group_id, class, priority, accepted_at, deadline_at, not_before, state)
    WHERE state <= 1;

-- One try at one mail. open: its notifications are "releasing".
CREATE TABLE attempt (
    id                 INTEGER PRIMARY KEY,
    recipient_id       INTEGER NOT NULL REFERENCES recipient,
    group_id           INTEGER NOT NULL REFERENCES recipient_group,
    state              INTEGER NOT NULL,
    open               INTEGER NOT NULL,
    digest             INTEGER NOT NULL,
    retry_of_unknown   INTEGER NOT NULL,
    notification_count INTEGER NOT NULL,
    started_at         INTEGER NOT NULL,
    ended_at           INTEGER NOT NULL,
    account            TEXT NOT NULL,
    provider           TEXT NOT NULL,
    stream             TEXT NOT NULL,
    message_id         TEXT NOT NULL,
    sender             TEXT NOT NULL,
    reply              TEXT NOT NULL
) STRICT;

-- A start asks for what was in flight.
CREATE INDEX attempt_open ON attempt (id) WHERE open = 1;
-- "why" asks for a recipient's.
CREATE INDEX attempt_recipient ON attempt (recipient_id);

-- Which notifications an attempt carried.
CREATE TABLE attempt_item (
    attempt_id      INTEGER NOT NULL,
    notification_id INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, notification_id)
) STRICT, WITHOUT ROWID;

-- What was used of a wider subject's limits: the planner's blob.
CREATE TABLE ledger (
    subject TEXT PRIMARY KEY,
    used    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Every decision with its reason. Rows are only added, and pruned from the front.
CREATE TABLE journal (
    seq             INTEGER PRIMARY KEY,
    at              INTEGER NOT NULL,
    recipient_id    INTEGER NOT NULL,
    notification_id INTEGER NOT NULL,
    attempt_id      INTEGER NOT NULL,
    event           TEXT NOT NULL,
    sentence        TEXT NOT NULL
) STRICT;

-- "why" asks for a recipient's, in order.
CREATE INDEX journal_recipient ON journal (recipient_id);

-- Keys that applications gave. digest: SHA-256 of sender and message; ids: per recipient 8 bytes of
-- the SHA-256 of its normal address and the notification's id, both big-endian. A row goes with its
-- submission.
CREATE TABLE idempotency (
    application TEXT NOT NULL,
    key         TEXT NOT NULL,
    digest      BLOB NOT NULL,
    ids         BLOB NOT NULL,
    PRIMARY KEY (application, key)
) STRICT, WITHOUT ROWID;

-- migration 2

-- detail: a JSON object for programs, "" if none. group_id: whose application it concerns, 0 if not
-- one's alone. Both have a default, so that no row is written anew.
ALTER TABLE journal ADD COLUMN detail TEXT NOT NULL DEFAULT '';
ALTER TABLE journal ADD COLUMN group_id INTEGER NOT NULL DEFAULT 0;

-- migration 3

-- Who is not to be mailed (core/record/suppression.h). A row stays when it is over, for `times`.
CREATE TABLE suppressed (
    address    TEXT NOT NULL,
    scope      TEXT NOT NULL,
    cause      TEXT NOT NULL,
    pause      INTEGER NOT NULL,
    evidence   TEXT NOT NULL,
    rule       TEXT NOT NULL,
    account    TEXT NOT NULL,
    by_whom    TEXT NOT NULL,
    attempt_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    lifted_at  INTEGER NOT NULL,
    times      INTEGER NOT NULL,
    PRIMARY KEY (address, scope)
) STRICT, WITHOUT ROWID;
INSERT INTO suppressed SELECT address, '', 'manual', 0, evidence, '', '', cause, 0, at, expires_at,
    0, 1 FROM suppression;
DROP TABLE suppression;

-- What refusals said about a recipient: evidence for and against suppressing it.
CREATE TABLE finding (
    recipient_id INTEGER NOT NULL,
    attempt_id   INTEGER NOT NULL,
    class        TEXT NOT NULL,
    at           INTEGER NOT NULL,
    sure         INTEGER NOT NULL,
    account      TEXT NOT NULL,
    rule         TEXT NOT NULL,
    reply        TEXT NOT NULL,
    PRIMARY KEY (recipient_id, attempt_id, class)
) STRICT, WITHOUT ROWID;

-- The last time that somebody said that mail reached it.
ALTER TABLE recipient ADD COLUMN delivered_at INTEGER NOT NULL DEFAULT 0;

-- What was said of an attempt later (enum news_kind), and when that was.
ALTER TABLE attempt ADD COLUMN news INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN news_at INTEGER NOT NULL DEFAULT 0;

-- Keys of news that was acted on.
CREATE TABLE news_seen (
    key TEXT PRIMARY KEY,
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Pruning asks for the oldest.
CREATE INDEX news_seen_at ON news_seen (at);

-- Addresses that stand on an ESP's own list (core/record/change.h, struct esp_listed).
CREATE TABLE esp_list (
    account TEXT NOT NULL,
    address TEXT NOT NULL,
    list    TEXT NOT NULL,
    cause   TEXT NOT NULL,
    state   TEXT NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (account, address, list)
) STRICT, WITHOUT ROWID;

-- migration 4

-- The provider of a domain was told by SPF or DKIM alone.
ALTER TABLE domain ADD COLUMN provider_likely INTEGER NOT NULL DEFAULT 0;

-- What the last check of a sender found: a domain of From, through an account. report: JSON as
-- `mailtide check-sender --json` prints it; held: why its bulk streams wait, "" when they do not.
CREATE TABLE sender (
    domain     TEXT NOT NULL,
    account    TEXT NOT NULL,
    seen_at    INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    passed_at  INTEGER NOT NULL,
    held       TEXT NOT NULL,
    report     TEXT NOT NULL,
    PRIMARY KEY (domain, account)
) STRICT, WITHOUT ROWID;

-- migration 5

-- Up to which entry of the journal an application's webhook was told.
CREATE TABLE webhook (
    application TEXT PRIMARY KEY,
    cursor      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events that a webhook would not take: tried again at next_at, or given up (0). Body and id are as
-- they were told first; seq is the entry's.
CREATE TABLE webhook_letter (
    application TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    event_id    TEXT NOT NULL,
    type        TEXT NOT NULL,
    tries       INTEGER NOT NULL,
    first_at    INTEGER NOT NULL,
    tried_at    INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    error       TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (application, seq)
) STRICT, WITHOUT ROWID;

-- The next to be tried, without walking over the bodies.
CREATE INDEX webhook_letter_next ON webhook_letter (application, next_at);

-- Which notification stands for a collapse key; a newer one takes its place.
ALTER TABLE submission ADD COLUMN collapse_key TEXT NOT NULL DEFAULT '';
CREATE TABLE collapse (
    recipient_id    INTEGER NOT NULL,
    application     TEXT NOT NULL,
    key             TEXT NOT NULL,
    notification_id INTEGER NOT NULL,
    PRIMARY KEY (recipient_id, application, key)
) STRICT, WITHOUT ROWID;

-- migration 6

-- What the application wants to be told again with everything that becomes of it: a JSON object, ""
-- if nothing.
ALTER TABLE submission ADD COLUMN metadata TEXT NOT NULL DEFAULT '';

-- By what names, beside its id, others may speak of an attempt: its mail's Message-ID, and the name
-- that the account gave to it in its reply. hash: the first 8 bytes of the SHA-256 of the name, so
-- that a name costs some 20 bytes. News asks for it, pruning takes it away with its attempt.
CREATE TABLE attempt_name (
    hash       INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL,
    PRIMARY KEY (hash, attempt_id)
) STRICT, WITHOUT ROWID;

-- migration 7

-- `why` asks on which lists an address stands, at whatever account.
CREATE INDEX esp_list_address ON esp_list (address, since);

-- migration 8

-- How many notifications are stored of a group, finished ones too, and how many recipients of a
-- domain: with the last one they can go. Counted, because an index would cost a page for each mail.
ALTER TABLE recipient_group ADD COLUMN notifications INTEGER NOT NULL DEFAULT 0;
UPDATE recipient_group SET notifications = n.count
    FROM (SELECT group_id, count(*) AS count FROM notification GROUP BY group_id) AS n
    WHERE n.group_id = recipient_group.id;
ALTER TABLE domain ADD COLUMN recipients INTEGER NOT NULL DEFAULT 0;
UPDATE domain SET recipients = r.count
    FROM (SELECT domain_id, count(*) AS count FROM recipient GROUP BY domain_id) AS r
    WHERE r.domain_id = domain.id;

-- migration 9

-- Pruning asks for what is over, too: without these it walks over all of them in every round.
CREATE INDEX finding_at ON finding (at);
CREATE INDEX suppressed_lifted ON suppressed (lifted_at) WHERE lifted_at > 0;
CREATE INDEX suppressed_expires ON suppressed (expires_at) WHERE expires_at > 0;
CREATE INDEX webhook_letter_dead ON webhook_letter (tried_at) WHERE next_at = 0;
