/* statements.h - every SQL statement of the store, by name: one table for writer and readers.
 *
 * State, reason, limit, due_at and changed_at of a pending notification are the group's where the
 * notification's `hold` differs from the group's (schema.sql, recipient_group).
 */
#ifndef IO_STORE_STATEMENTS_H
#define IO_STORE_STATEMENTS_H

/* Read by rows_notification(); needs n, g, s, r, d as NOTIFICATION_FROM names them. */
#define GROUP_HOLDS "(n.state <= 1 AND n.hold <> g.hold)"
#define NOTIFICATION_COLUMNS                                                                   \
    "n.id, g.recipient_id, n.group_id, CASE WHEN " GROUP_HOLDS " THEN 1 ELSE n.state END,"     \
    " g.application, s.stream, n.address, r.address, d.name, s.sender, g.identity, s.subject," \
    " s.message_id, s.thread, s.key, s.envid, s.ret, n.notify, n.orcpt, s.item_title,"         \
    " s.item_url, s.item_text, s.item_icon, n.accepted_at, n.not_before, n.deadline_at,"       \
    " n.priority, n.class, s.drop_late,"                                                       \
    " CASE WHEN " GROUP_HOLDS " THEN g.hold_at ELSE n.changed_at END,"                         \
    " CASE WHEN " GROUP_HOLDS " THEN g.hold_due_at ELSE n.due_at END,"                         \
    " CASE WHEN " GROUP_HOLDS " THEN g.hold_reason ELSE n.reason END,"                         \
    " CASE WHEN " GROUP_HOLDS                                                                  \
    " THEN g.hold_limit ELSE n.limit_name END, n.attempt_id, n.attempts,"                      \
    " s.metadata, s.collapse_key"
#define NOTIFICATION_COLUMN_COUNT 37
#define NOTIFICATION_REST                          \
    " JOIN submission s ON s.id = n.submission_id" \
    " JOIN recipient r ON r.id = g.recipient_id"   \
    " JOIN domain d ON d.id = r.domain_id "
#define NOTIFICATION_FROM \
    " FROM notification n JOIN recipient_group g ON g.id = n.group_id" NOTIFICATION_REST

/* Read by rows_group(). */
#define GROUP_COLUMNS                                                                     \
    "g.id, g.recipient_id, g.urgent, g.single, g.digestible, g.oldest_at, g.deadline_at," \
    " g.not_before, g.fresh, g.releasing, g.due_at, g.hold, g.hold_due_at, g.notifications"
#define GROUP_COLUMN_COUNT 14

/* What of an address is suppressed at ?1, as lines of suppression_line_of(). */
#define SUPPRESSED_LINES(address)                                                     \
    "(SELECT group_concat(x.cause || '|' || x.pause || '|' || x.expires_at || '|' ||" \
    " x.scope, char(10)) FROM suppressed x WHERE x.address = " address                \
    " AND x.lifted_at = 0 AND (x.expires_at = 0 OR x.expires_at > ?1))"
/* Read by rows_recipient(). ?1 is now. */
#define RECIPIENT_COLUMNS                                                                   \
    "r.id, r.address, d.name, r.plan, d.kind, d.provider, d.gateway, d.reason, d.evidence," \
    " d.found_at, d.valid_until, d.provider_likely, " SUPPRESSED_LINES("r.address")
#define RECIPIENT_COLUMN_COUNT 13
#define RECIPIENT_JOIN         " JOIN domain d ON d.id = r.domain_id "

/* Read by rows_attempt(). */
#define ATTEMPT_COLUMNS                                                                          \
    "a.id, a.recipient_id, a.group_id, a.account, a.provider, a.stream, a.message_id, a.sender," \
    " a.state, a.digest, a.retry_of_unknown, a.notification_count, a.started_at, a.ended_at,"    \
    " a.reply, a.news, a.news_at"

/* Read by rows_suppression(). */
#define SUPPRESSION_COLUMNS                                                           \
    "x.address, x.scope, x.cause, x.pause, x.evidence, x.rule, x.account, x.by_whom," \
    " x.attempt_id, x.at, x.expires_at, x.lifted_at, x.times"

/* Read by rows_journal(). */
#define JOURNAL_COLUMNS                                                                   \
    "j.seq, j.at, j.recipient_id, j.notification_id, j.attempt_id, j.event, j.sentence, " \
    "j.detail, j.group_id"
#define JOURNAL_COLUMN_COUNT 9
/* Of recipient ?1; ?2 0 or the id (notification or attempt) that it is about. What is said of a
 * digest as a whole is said of each in it, what is said of another in it is not. */
#define JOURNAL_WHICH                                                                          \
    " FROM journal j WHERE j.recipient_id = ?1 AND (?2 = 0 OR j.notification_id = ?2"          \
    " OR j.attempt_id = ?2 OR (j.notification_id = 0 AND EXISTS (SELECT 1 FROM attempt_item i" \
    " WHERE i.attempt_id = j.attempt_id AND i.notification_id = ?2))) "

/* Read by rows_letter(); the body comes behind. */
#define LETTER_COLUMNS "application, seq, event_id, type, tries, first_at, tried_at, next_at, error"

/* Of the first pending one of a class. */
#define LOAD_STREAM(class, count)                                                           \
    "CASE WHEN " count " > 0 THEN coalesce((SELECT s.stream FROM notification n"            \
    " JOIN submission s ON s.id = n.submission_id WHERE n.group_id = g.id AND n.state <= 1" \
    " AND n.class = " class " ORDER BY n.priority, n.accepted_at LIMIT 1), '') ELSE '' END"

#define QUEUE_COLUMNS \
    NOTIFICATION_COLUMNS ", g.due_at, g.id, n.class, n.priority, n.accepted_at, n.id"
#define QUEUE_ORDER " ORDER BY g.due_at, g.id, n.class, n.priority, n.accepted_at, n.id LIMIT ?10"
/* ?1..?6 the cursor, ?7 domain, ?8 stream (or ""). CROSS JOIN keeps the group outside, so that
 * group_queue gives the order. */
#define QUEUE_WHICH                                                                              \
    " FROM recipient_group g CROSS JOIN notification n ON n.group_id = g.id AND n.state <= "     \
    "1" NOTIFICATION_REST " WHERE g.oldest_at > 0 AND (g.due_at, g.id) >= (?1, ?2)"              \
    " AND (g.due_at, g.id, n.class, n.priority, n.accepted_at, n.id) > (?1, ?2, ?3, ?4, ?5, ?6)" \
    " AND (?7 = '' OR d.name = ?7) AND (?8 = '' OR s.stream = ?8)"

/* clang-format off */
#define STATEMENTS(X) \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE") \
    X(BEGIN_READ, "BEGIN") \
    X(COMMIT, "COMMIT") \
    X(ROLLBACK, "ROLLBACK") \
    /* meta, tally */ \
    X(PROBE, "UPDATE meta SET probe = probe + 1") \
    X(LAST_ID, "SELECT max((SELECT last_id FROM meta)," \
        " coalesce((SELECT max(id) FROM notification), 0)," \
        " coalesce((SELECT max(id) FROM attempt), 0))") \
    X(LAST_ID_KEEP, "UPDATE meta SET last_id = max(last_id, ?1)") \
    X(TALLY_ADD, "INSERT INTO tally VALUES (?1, ?2)" \
        " ON CONFLICT (what) DO UPDATE SET count = count + excluded.count") \
    X(TALLY_ALL, "SELECT what, count FROM tally") \
    /* recipients */ \
    X(DOMAIN_ADD, "INSERT INTO domain (name) VALUES (?1)") \
    /* While DNS does not answer (kind 0) the mailboxes are where they were, and so are the limits. */ \
    X(VERDICT_PUT, "INSERT INTO domain (name, kind, provider, gateway, reason, evidence," \
        " found_at, valid_until, provider_likely) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)" \
        " ON CONFLICT (name) DO UPDATE SET kind = ?2, reason = ?5, evidence = ?6, found_at = ?7," \
        " valid_until = ?8, provider = iif(?2 = 0 AND ?3 = '', provider, ?3)," \
        " gateway = iif(?2 = 0 AND ?3 = '', gateway, ?4)," \
        " provider_likely = iif(?2 = 0 AND ?3 = '', provider_likely, ?9)") \
    X(RECIPIENT_FIND, "SELECT " RECIPIENT_COLUMNS " FROM recipient r" RECIPIENT_JOIN \
        "WHERE r.address = ?2") \
    X(ADDRESS_OF, "SELECT address FROM recipient WHERE id = ?1") \
    X(RECIPIENT_GET, "SELECT " RECIPIENT_COLUMNS " FROM recipient r" RECIPIENT_JOIN \
        "WHERE r.id = ?2") \
    X(RECIPIENT_PLANS, "SELECT r.id, r.plan, d.provider, d.gateway FROM recipient r" \
        " JOIN domain d ON d.id = r.domain_id WHERE r.id > ?1 AND length(r.plan) > 0" \
        " AND (?2 = '' OR d.provider = ?2 OR d.gateway = ?2) ORDER BY r.id LIMIT ?3") \
    /* ?2 of domain ?3, whether there yet (id) or not (NULL); the last column is the domain's id. */ \
    X(RECIPIENT_OR_NEW, "SELECT r.id, ?2, d.name, r.plan, d.kind, d.provider, d.gateway," \
        " d.reason, d.evidence, d.found_at, d.valid_until, d.provider_likely, " \
        SUPPRESSED_LINES("?2") ", d.id" \
        " FROM domain d LEFT JOIN recipient r ON r.address = ?2" \
        " WHERE d.name = ?3") \
    X(RECIPIENT_ADD, "INSERT INTO recipient (address, domain_id) VALUES (?1, ?2)") \
    X(DOMAIN_MORE, "UPDATE domain SET recipients = recipients + ?2 WHERE id = ?1") \
    X(RECIPIENT_PLAN, "UPDATE recipient SET plan = ?2 WHERE id = ?1") \
    X(SUPPRESS, "INSERT OR REPLACE INTO suppressed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9," \
        " ?10, ?11, 0, ?12)") \
    X(UNSUPPRESS, "UPDATE suppressed SET lifted_at = ?3 WHERE address = ?1 AND scope = ?2") \
    X(SUPPRESSIONS_OF, "SELECT " SUPPRESSION_COLUMNS " FROM suppressed x WHERE x.address = ?1" \
        " AND (?3 = '' OR x.scope NOT LIKE 'sender:%' OR EXISTS (SELECT 1 FROM recipient r" \
        " JOIN recipient_group g ON g.recipient_id = r.id WHERE r.address = ?1" \
        " AND g.application = ?3 AND 'sender:' || g.identity = x.scope))" \
        " ORDER BY x.scope LIMIT ?2") \
    /* After address ?1 and scope ?2; ?3 recipient, ?4 domain, ?5 "|CAUSE|CAUSE|" (or ""); ?6 now, or 0: those that are \
     * over too; ?9 whose recipients, and by whose senders, "": all. */ \
    X(SUPPRESSIONS_PAGE, "SELECT " SUPPRESSION_COLUMNS " FROM suppressed x" \
        " WHERE (x.address, x.scope) > (?1, ?2) AND (?3 = '' OR x.address = ?3)" \
        " AND (?4 = '' OR substr(x.address, -length(?4) - 1) = '@' || ?4)" \
        " AND (?5 = '' OR instr(?5, '|' || x.cause || '|') > 0) AND (?6 = 0 OR (x.lifted_at = 0 AND" \
        " (x.expires_at = 0 OR x.expires_at > ?6))) AND (?9 = '' OR EXISTS (SELECT 1 FROM recipient r" \
        " JOIN recipient_group g ON g.recipient_id = r.id WHERE r.address = x.address" \
        " AND g.application = ?9 AND (x.scope NOT LIKE 'sender:%' OR x.scope = 'sender:' || g.identity)))" \
        " ORDER BY x.address, x.scope LIMIT ?7 OFFSET ?8") \
    X(GROUPS_IN, "SELECT count(*) FROM recipient_group WHERE recipient_id = ?1" \
        " AND application = ?2") \
    X(FINDING_ADD, "INSERT INTO finding VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" \
        " ON CONFLICT DO UPDATE SET at = max(at, ?4), sure = max(sure, ?5)," \
        " reply = CASE WHEN ?5 >= sure THEN ?8 ELSE reply END," \
        " rule = CASE WHEN ?5 >= sure THEN ?7 ELSE rule END") \
    X(FINDINGS_OF, "SELECT at, attempt_id, class, sure, account, rule, reply FROM finding" \
        " WHERE recipient_id = ?1 ORDER BY at DESC LIMIT ?2") \
    X(DELIVERED_AT, "UPDATE recipient SET delivered_at = max(delivered_at, ?2) WHERE id = ?1") \
    /* news */ \
    X(NEWS_NOTE, "UPDATE attempt SET news = ?2, news_at = ?3 WHERE id = ?1") \
    X(NEWS_ITEMS, "SELECT n.id FROM attempt_item i JOIN notification n ON n.id = " \
        "i.notification_id WHERE i.attempt_id = ?1 AND n.attempt_id = ?1") \
    X(NEWS_SEEN_ADD, "INSERT INTO news_seen VALUES (?1, ?2) ON CONFLICT DO NOTHING") \
    X(NEWS_SEEN_PRUNE, "DELETE FROM news_seen WHERE at <= ?1") \
    X(FINDING_PRUNE, "DELETE FROM finding WHERE at <= ?1") \
    X(SUPPRESSED_PRUNE, "DELETE FROM suppressed WHERE (lifted_at > 0 AND lifted_at <= ?1)" \
        " OR (expires_at > 0 AND expires_at <= ?1)") \
    X(NEWS_SEEN, "SELECT 1 FROM news_seen WHERE key = ?1") \
    X(NEWS_GROUP, "SELECT g.application, g.identity, (SELECT n.state FROM attempt_item i JOIN " \
        "notification n ON n.id = i.notification_id WHERE i.attempt_id = ?2 AND n.attempt_id = ?2" \
        " LIMIT 1), (SELECT max(n.accepted_at) FROM attempt_item i JOIN notification n ON n.id =" \
        " i.notification_id WHERE i.attempt_id = ?2) FROM recipient_group g WHERE g.id = ?1") \
    /* Of recipient ?1 but attempt ?2, the last day from ?3: taken (state 1) and not denied (news 3
     * and 4). */ \
    X(PAST_OF, "SELECT r.delivered_at, coalesce((SELECT max(a.started_at) FROM attempt a" \
        " WHERE a.recipient_id = ?1 AND a.id <> ?2 AND a.state = 1 AND a.news NOT IN (3, 4)), 0)," \
        " (SELECT count(*) FROM attempt a WHERE a.recipient_id = ?1 AND a.id <> ?2" \
        " AND a.state = 1 AND a.news NOT IN (3, 4) AND a.started_at > ?3)" \
        " FROM recipient r WHERE r.id = ?1") \
    X(ESP_LIST_PUT, "INSERT INTO esp_list VALUES (?1, ?2, ?3, ?4, ?5, ?6)" \
        " ON CONFLICT DO UPDATE SET cause = ?4, since = ?6, state = CASE WHEN ?5 = 'listed'" \
        " AND state IN ('mend', 'mended') THEN 'mend' ELSE ?5 END") \
    /* groups */ \
    X(GROUP_FIND, "SELECT " GROUP_COLUMNS " FROM recipient_group g" \
        " WHERE g.recipient_id = ?1 AND g.application = ?2 AND g.identity = ?3") \
    X(GROUP_GET, "SELECT " GROUP_COLUMNS " FROM recipient_group g WHERE g.id = ?1") \
    X(GROUPS_OF, "SELECT g.id FROM recipient_group g WHERE g.recipient_id = ?1 ORDER BY g.id") \
    X(GROUPS_OF_COUNT, "SELECT count(*) FROM recipient_group WHERE recipient_id = ?1") \
    X(GROUP_ADD, "INSERT INTO recipient_group (recipient_id, application, identity, urgent," \
        " single, digestible, fresh, oldest_at, deadline_at, not_before, notifications)" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)") \
    X(GROUP_PUT, "UPDATE recipient_group SET urgent = ?2, single = ?3, digestible = ?4," \
        " oldest_at = ?5, deadline_at = ?6, not_before = ?7, fresh = ?8, releasing = ?9," \
        " due_at = ?10, notifications = ?11 WHERE id = ?1") \
    X(GROUP_HOLD, "UPDATE recipient_group SET fresh = 0, due_at = ?2, hold = hold + 1," \
        " hold_at = ?3, hold_due_at = ?2, hold_reason = ?4, hold_limit = ?5 WHERE id = ?1") \
    X(GROUP_LEAST, "SELECT min(accepted_at), min(nullif(deadline_at, 0))," \
        " min(CASE WHEN not_before > ?2 THEN not_before END)" \
        " FROM notification WHERE group_id = ?1 AND state <= 1") \
    /* submissions */ \
    X(KEY_FIND, "SELECT digest, ids FROM idempotency WHERE application = ?1 AND key = ?2") \
    X(KEY_ADD, "INSERT INTO idempotency VALUES (?1, ?2, ?3, ?4)") \
    X(KEY_DELETE, "DELETE FROM idempotency WHERE application = ?1 AND key = ?2") \
    X(BODY_USE_SAME, "UPDATE body SET uses = uses + 1 WHERE id = ?1 AND size = ?2" \
        " AND message = ?3") \
    X(BODY_ADD, "INSERT INTO body (size, message) VALUES (?1, ?2)") \
    X(BODY_DELETE_LAST, "DELETE FROM body WHERE id = ?1 AND uses <= 1") \
    X(BODY_LESS, "UPDATE body SET uses = uses - 1 WHERE id = ?1") \
    X(SUBMISSION_ADD, "INSERT INTO submission (body_id, notifications, stream, sender, subject," \
        " message_id, thread, key, ret, envid, item_title, item_url, item_text, item_icon," \
        " drop_late, metadata, collapse_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14," \
        " ?15, ?16, ?17)") \
    X(COLLAPSE_GET, "SELECT notification_id FROM collapse" \
        " WHERE recipient_id = ?1 AND application = ?2 AND key = ?3") \
    X(COLLAPSE_PUT, "INSERT INTO collapse VALUES (?1, ?2, ?3, ?4)" \
        " ON CONFLICT (recipient_id, application, key) DO UPDATE SET notification_id = ?4") \
    X(COLLAPSE_DELETE, "DELETE FROM collapse WHERE recipient_id = ?1 AND application = ?2" \
        " AND key = ?3 AND notification_id = ?4") \
    X(SUBMISSION_LESS, "UPDATE submission SET notifications = notifications - 1 WHERE id = ?1") \
    X(SUBMISSION_LEFT, "SELECT notifications FROM submission WHERE id = ?1") \
    X(SUBMISSION_DELETE, "DELETE FROM submission WHERE id = ?1") \
    /* notifications */ \
    X(NOTIFICATION_ADD, "INSERT INTO notification (id, submission_id, group_id, state, class," \
        " priority, hold, accepted_at, deadline_at, not_before, changed_at, address, notify," \
        " orcpt) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?7, ?10, ?11, ?12)") \
    X(NOTIFICATION_GET, "SELECT " NOTIFICATION_COLUMNS NOTIFICATION_FROM "WHERE n.id = ?1") \
    X(MESSAGE_GET, "SELECT b.message FROM notification n" \
        " JOIN submission s ON s.id = n.submission_id JOIN body b ON b.id = s.body_id" \
        " WHERE n.id = ?1") \
    X(MEMBER_GET, "SELECT group_id, state, class, accepted_at, deadline_at, not_before, hold" \
        " FROM notification WHERE id = ?1") \
    X(NOTIFICATION_PUT, "UPDATE notification SET state = ?2, hold = ?3, changed_at = ?4," \
        " due_at = ?5, reason = ?6, limit_name = ?7 WHERE id = ?1") \
    X(NOTIFICATION_CLAIM, "UPDATE notification SET state = 2, changed_at = ?2, due_at = 0," \
        " reason = '', limit_name = '', attempt_id = ?3, attempts = attempts + 1 WHERE id = ?1") \
    /* ?4 names streams to be passed over, "|news|offers|"; "": none. */ \
    X(CLAIM_SINGLE, "SELECT n.id, 0 FROM notification n WHERE n.group_id = ?1 AND n.state <= 1" \
        " AND n.class < 2 AND n.not_before <= ?2 AND (?4 = '' OR NOT EXISTS (SELECT 1" \
        " FROM submission s WHERE s.id = n.submission_id" \
        " AND instr(?4, '|' || s.stream || '|') > 0))" \
        " ORDER BY n.class, n.priority, n.accepted_at, n.id LIMIT ?3") \
    X(CLAIM_DIGEST, "SELECT n.id, b.size FROM notification n" \
        " JOIN submission s ON s.id = n.submission_id JOIN body b ON b.id = s.body_id" \
        " WHERE n.group_id = ?1 AND n.state <= 1 AND n.class = 2 AND n.not_before <= ?2" \
        " AND (?4 = '' OR instr(?4, '|' || s.stream || '|') = 0)" \
        " ORDER BY n.priority, n.accepted_at, n.id LIMIT ?3") \
    X(CLAIM_ONLY, "SELECT n.id, 0 FROM notification n" \
        " WHERE n.id = ?1 AND n.state <= 1 AND n.not_before <= ?2") \
    X(DROP_ALL, "SELECT n.id FROM notification n WHERE n.group_id = ?1 AND n.state <= 1" \
        " AND (?2 = '' OR NOT EXISTS (SELECT 1 FROM submission s WHERE s.id = n.submission_id" \
        " AND instr(?2, '|' || s.stream || '|') > 0))" \
        " ORDER BY n.class, n.priority, n.accepted_at, n.id") \
    /* In the order of their ids they were given one after the other: the last ends it. */ \
    X(DROP_WHOLE, "SELECT n.id FROM notification n WHERE n.id >= ?1 AND n.id < ?2" \
        " AND n.submission_id = (SELECT submission_id FROM notification WHERE id = ?1)" \
        " ORDER BY n.id LIMIT (SELECT notifications FROM submission" \
        " WHERE id = (SELECT submission_id FROM notification WHERE id = ?1))") \
    X(DROP_LATE, "SELECT n.id FROM notification n JOIN submission s ON s.id = n.submission_id" \
        " WHERE n.group_id = ?1 AND n.state <= 1 AND n.deadline_at > 0 AND n.deadline_at <= ?2" \
        " AND s.drop_late = 1 ORDER BY n.class, n.priority, n.accepted_at, n.id") \
    /* attempts, ledger, journal */ \
    X(ATTEMPT_ADD, "INSERT INTO attempt VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, 0, ?9, ?10," \
        " ?11, ?12, ?13, '', 0, 0)") \
    X(ATTEMPT_GET, "SELECT " ATTEMPT_COLUMNS " FROM attempt a WHERE a.id = ?1") \
    X(ATTEMPT_END, "UPDATE attempt SET state = ?2, reply = ?3, ended_at = ?4, open = ?5" \
        " WHERE id = ?1") \
    X(ATTEMPT_ITEM_ADD, "INSERT INTO attempt_item VALUES (?1, ?2)") \
    /* Of the last attempt: abandoned itself, or tried again after one that was. */ \
    X(ATTEMPT_MAYBE_ARRIVED, "SELECT 1 FROM notification n JOIN attempt a ON a.id = n.attempt_id" \
        " WHERE n.id = ?1 AND (a.state = 5 OR a.retry_of_unknown)") \
    X(ATTEMPT_RELEASING, "SELECT n.id FROM attempt_item i JOIN notification n" \
        " ON n.id = i.notification_id WHERE i.attempt_id = ?1 AND n.attempt_id = ?1" \
        " AND n.state = 2") \
    X(LEDGER_PUT, "INSERT INTO ledger VALUES (?1, ?2)" \
        " ON CONFLICT (subject) DO UPDATE SET used = excluded.used") \
    X(LEDGER_DROP, "DELETE FROM ledger WHERE subject = ?1") \
    X(JOURNAL_ADD, "INSERT INTO journal (at, recipient_id, notification_id, attempt_id, event," \
        " sentence, detail, group_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)") \
    X(SUPPRESSED_OF, "SELECT " SUPPRESSED_LINES("?2")) \
    X(SENDER_PUT, "INSERT INTO sender VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)" \
        " ON CONFLICT (domain, account) DO UPDATE SET seen_at = ?3, checked_at = ?4," \
        " passed_at = ?5, held = ?6, report = ?7") \
    X(SENDER_DELETE, "DELETE FROM sender WHERE domain = ?1 AND account = ?2") \
    X(ESP_LISTS_OF, "SELECT account, address, list, cause, state, since FROM esp_list" \
        " WHERE address = ?1 ORDER BY since LIMIT ?2") \
    X(ESP_LISTS, "SELECT account, address, list, cause, state, since FROM esp_list" \
        " WHERE account = ?1 AND state IN ('mend', 'listed') ORDER BY since LIMIT ?2") \
    X(SENDERS, "SELECT domain, account, seen_at, checked_at, passed_at, held, report" \
        " FROM sender ORDER BY domain, account LIMIT ?1") \
    /* names of attempts */ \
    X(NAME_ADD, "INSERT INTO attempt_name VALUES (?1, ?2) ON CONFLICT DO NOTHING") \
    X(NAME_DROP, "DELETE FROM attempt_name WHERE hash = ?1 AND attempt_id = ?2") \
    /* The newest of a name that is for this recipient, if one is said. */ \
    X(NAME_FIND, "SELECT " ATTEMPT_COLUMNS " FROM attempt_name x JOIN attempt a" \
        " ON a.id = x.attempt_id JOIN recipient r ON r.id = a.recipient_id WHERE x.hash = ?1" \
        " AND (?2 = '' OR r.address = ?2 COLLATE NOCASE) ORDER BY x.attempt_id DESC LIMIT 1") \
    X(NAME_RECIPIENTS, "SELECT count(DISTINCT a.recipient_id) FROM attempt_name x JOIN attempt a" \
        " ON a.id = x.attempt_id WHERE x.hash = ?1") \
    /* The last one of a recipient that may have arrived: between ?3 and ?4, through account ?2. */ \
    X(NEWS_LAST_ATTEMPT, "SELECT " ATTEMPT_COLUMNS " FROM attempt a JOIN recipient r" \
        " ON r.id = a.recipient_id WHERE r.address = ?1 AND (?2 = '' OR a.account = ?2)" \
        " AND a.started_at >= ?3 AND a.started_at <= ?4 AND a.state IN (1, 4, 5)" \
        " ORDER BY a.id DESC LIMIT 1") \
    /* load */ \
    X(LOAD_GROUPS, "SELECT " GROUP_COLUMNS ", g.application, g.identity," \
        " " LOAD_STREAM("0", "g.urgent") ", " LOAD_STREAM("1", "g.single") ", " \
        LOAD_STREAM("2", "g.digestible") ", " RECIPIENT_COLUMNS \
        " FROM recipient_group g CROSS JOIN recipient r ON r.id = g.recipient_id" RECIPIENT_JOIN \
        "WHERE g.id > ?2 AND (g.oldest_at > 0 OR g.releasing > 0) ORDER BY g.id LIMIT ?3") \
    X(LOAD_FLYING, "SELECT " ATTEMPT_COLUMNS " FROM attempt a WHERE a.open = 1 ORDER BY a.id") \
    X(LOAD_FLYING_COUNT, "SELECT count(*) FROM attempt a WHERE a.open = 1") \
    X(LOAD_LEDGER, "SELECT subject, used FROM ledger ORDER BY subject") \
    X(LOAD_LEDGER_COUNT, "SELECT count(*) FROM ledger") \
    /* ask */ \
    X(JOURNAL_PAGE, "SELECT " JOURNAL_COLUMNS JOURNAL_WHICH \
        "AND j.seq > ?3 ORDER BY j.seq LIMIT ?4") \
    X(JOURNAL_NEWEST, "SELECT * FROM (SELECT " JOURNAL_COLUMNS JOURNAL_WHICH \
        "ORDER BY j.seq DESC LIMIT ?3) ORDER BY 1") \
    X(WHY_ATTEMPTS, "SELECT * FROM (SELECT " ATTEMPT_COLUMNS " FROM attempt a" \
        " WHERE a.recipient_id = ?1 AND (?2 = 0 OR a.id = ?2 OR EXISTS (SELECT 1 FROM" \
        " attempt_item i WHERE i.attempt_id = a.id AND i.notification_id = ?2))" \
        " ORDER BY a.id DESC LIMIT ?3) ORDER BY 1") \
    X(ATTEMPT_ITEMS, "SELECT notification_id FROM attempt_item WHERE attempt_id = ?1") \
    X(QUEUE_PAGE, "SELECT " QUEUE_COLUMNS QUEUE_WHICH " AND ?9 = 0" QUEUE_ORDER) \
    X(QUEUE_PAGE_OF, "SELECT " QUEUE_COLUMNS QUEUE_WHICH " AND g.recipient_id = ?9" QUEUE_ORDER) \
    /* Behind ?1; whose it is, who it is about, and whether application ?2 ever wrote to him. */ \
    X(EVENTS, "SELECT " JOURNAL_COLUMNS ", coalesce(g.application, ''), coalesce(r.address, '')," \
        " j.recipient_id > 0 AND g.id IS NULL AND EXISTS (SELECT 1 FROM recipient_group v" \
        " WHERE v.recipient_id = j.recipient_id AND v.application = ?2) FROM journal j" \
        " LEFT JOIN recipient_group g ON g.id = CASE WHEN j.group_id > 0 THEN j.group_id" \
        " WHEN j.attempt_id > 0 THEN (SELECT a.group_id FROM attempt a WHERE a.id = j.attempt_id)" \
        " WHEN j.notification_id > 0 THEN (SELECT n.group_id FROM notification n" \
        " WHERE n.id = j.notification_id) END LEFT JOIN recipient r" \
        " ON r.id = coalesce(nullif(j.recipient_id, 0), g.recipient_id)" \
        " WHERE j.seq > ?1 ORDER BY j.seq LIMIT ?3") \
    X(EVENT_ITEMS, "SELECT " NOTIFICATION_COLUMNS NOTIFICATION_FROM "WHERE n.id IN" \
        " (SELECT notification_id FROM attempt_item WHERE attempt_id = ?1) ORDER BY n.id") \
    X(JOURNAL_OLDEST, "SELECT coalesce(min(seq), 0) FROM journal") \
    X(JOURNAL_SEQ, "SELECT coalesce(max(seq), 0) FROM journal") \
    X(JOURNAL_AT, "SELECT at FROM journal WHERE seq = ?1") \
    X(WEBHOOK_PUT, "INSERT INTO webhook VALUES (?1, ?2)" \
        " ON CONFLICT (application) DO UPDATE SET cursor = ?2") \
    X(WEBHOOK_GET, "SELECT cursor FROM webhook WHERE application = ?1") \
    X(LETTER_PUT, "INSERT OR REPLACE INTO webhook_letter" \
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)") \
    X(LETTER_DELETE, "DELETE FROM webhook_letter WHERE application = ?1 AND seq = ?2") \
    X(LETTERS_AGAIN, "UPDATE webhook_letter SET next_at = ?3, tries = 0" \
        " WHERE next_at = 0 AND (?1 = '' OR application = ?1) AND (?2 = 0 OR seq = ?2)") \
    X(LETTERS_SOON, "UPDATE webhook_letter SET next_at = ?2" \
        " WHERE application = ?1 AND next_at > ?2") \
    X(LETTERS_NEXT, "SELECT " LETTER_COLUMNS ", body FROM webhook_letter" \
        " WHERE application = ?1 AND next_at > 0 ORDER BY next_at, seq LIMIT ?2") \
    X(LETTERS_DEAD, "SELECT " LETTER_COLUMNS ", '' FROM webhook_letter" \
        " WHERE next_at = 0 AND (?1 = '' OR application = ?1) ORDER BY seq, application LIMIT ?2") \
    X(LETTERS_PRUNE, "DELETE FROM webhook_letter WHERE next_at = 0 AND tried_at <= ?1") \
    X(COUNT_ACCEPTED, "SELECT count(*) FROM notification n JOIN recipient_group g" \
        " ON g.id = n.group_id WHERE n.id >= ?1 AND g.application = ?2") \
    /* Counted by who reads it: GROUP BY would sort them all first. */ \
    X(TALLIES, "SELECT n.id, n.state FROM notification n CROSS JOIN recipient_group g" \
        " ON g.id = n.group_id WHERE n.id >= ?1 AND n.id < ?2 AND g.application = ?3 ORDER BY n.id") \
    X(COUNT_OLDEST, "SELECT min(accepted_at) FROM notification WHERE state <= 1") \
    /* pruning */ \
    X(PRUNE_NEXT, "SELECT n.id, n.submission_id, n.state, n.changed_at, s.body_id," \
        " s.key, g.application, s.collapse_key, g.recipient_id, g.id FROM notification n" \
        " JOIN submission s ON s.id = n.submission_id" \
        " JOIN recipient_group g ON g.id = n.group_id" \
        " WHERE n.id > ?1 AND n.id < ?2 ORDER BY n.id LIMIT ?3") \
    X(PRUNE_NOTIFICATION, "DELETE FROM notification WHERE id = ?1") \
    X(GROUP_LESS, "UPDATE recipient_group SET notifications = notifications - 1 WHERE id = ?1") \
    X(PRUNE_ATTEMPT_NEXT, "SELECT id, state, open, ended_at, message_id, reply FROM attempt" \
        " WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3") \
    X(PRUNE_ATTEMPT, "DELETE FROM attempt WHERE id = ?1") \
    X(PRUNE_ATTEMPT_ITEMS, "DELETE FROM attempt_item WHERE attempt_id = ?1") \
    X(PRUNE_JOURNAL_NEXT, "SELECT seq, at FROM journal ORDER BY seq LIMIT ?1") \
    X(PRUNE_JOURNAL, "DELETE FROM journal WHERE seq <= ?1") \
    /* Behind ?1, with whether anything that is stored needs it. The newest recipient, and that of \
     * the newest group, stay, so that numbers are never given twice. '}' comes next after '|'. */ \
    X(PRUNE_RECIPIENT_NEXT, "SELECT r.id, r.domain_id, r.plan, r.delivered_at," \
        " r.id = (SELECT max(id) FROM recipient)" \
        " OR r.id = (SELECT recipient_id FROM recipient_group ORDER BY id DESC LIMIT 1)" \
        " OR EXISTS (SELECT 1 FROM recipient_group WHERE recipient_id = r.id" \
        " AND notifications > 0)" \
        " OR EXISTS (SELECT 1 FROM attempt WHERE recipient_id = r.id)" \
        " OR EXISTS (SELECT 1 FROM journal WHERE recipient_id = r.id)" \
        " OR EXISTS (SELECT 1 FROM finding WHERE recipient_id = r.id)" \
        " OR EXISTS (SELECT 1 FROM suppressed WHERE address = r.address)" \
        " OR EXISTS (SELECT 1 FROM ledger WHERE subject >= 'learn|recipient|' || r.id || '|'" \
        " AND subject < 'learn|recipient|' || r.id || '}')" \
        " OR EXISTS (SELECT 1 FROM ledger WHERE subject >= 'learn|pair|' || r.id || '|'" \
        " AND subject < 'learn|pair|' || r.id || '}')" \
        " FROM recipient r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2") \
    X(PRUNE_COLLAPSE, "DELETE FROM collapse WHERE recipient_id = ?1") \
    X(PRUNE_GROUPS, "DELETE FROM recipient_group WHERE recipient_id = ?1") \
    X(PRUNE_RECIPIENT, "DELETE FROM recipient WHERE id = ?1") \
    X(DOMAIN_LESS, "UPDATE domain SET recipients = recipients - 1 WHERE id = ?1") \
    X(PRUNE_DOMAIN, "DELETE FROM domain WHERE id = ?1 AND recipients <= 0")
/* clang-format on */

#endif
