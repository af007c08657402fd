#include "core/config/keys.h"

#include "base/macros.h"

#include <stdio.h>

#define SECOND TIME_SECOND_MS
#define MINUTE TIME_MINUTE_MS
#define HOUR   TIME_HOUR_MS
#define DAY    TIME_DAY_MS
#define MB     1000000LL
#define GB     1000000000LL

static const char *const deadline_words[] = {"send", "drop", NULL};
static const char *const unknown_words[] = {"send", "hold", NULL};
static const char *const risky_words[] = {"send", "hold", NULL};
static const char *const sender_words[] = {"warn", "hold_bulk", NULL};
static const char *const suppressed_words[] = {"refuse", "try", "always", NULL};
static const char *const account_words[] = {"outbox", "smtp", "https", NULL};
static const char *const api_words[] = {"sendgrid", "ses",       "mailgun", "postmark",
                                        "resend",   "sparkpost", "brevo",   NULL};
static const char *const events_words[] = {
    "sendgrid", "ses",        "mailgun",  "postmark", "resend", "sparkpost",    "brevo",
    "mailjet",  "mailersend", "mailtrap", "mandrill", "postal", "unisender_go", NULL};
static const char *const tls_words[] = {"none", "opportunistic", "required", "implicit", NULL};
static const char *const auth_words[] = {"none", "plain", "login", "xoauth2", "any", NULL};
static const char *const policy_words[] = {"quiet", "even", NULL};
static const char *const format_words[] = {"html", "mime", NULL};
static const char *const level_words[] = {"trace", "debug", "info", "warn", "error", NULL};
static const char *const scope_words[] = {
    "recipient",   "pair",      "domain",  "provider",       "sender-domain-provider",
    "ip-provider", "ip-domain", "account", "account-stream", NULL};
static const char *const counts_words[] = {"attempts", "accepted", "messages", NULL};
static const char *const guard_words[] = {"bounces", "complaints", NULL};
static const char *const source_words[] = {"published", "observed", "configured", "learned", NULL};
static const char *const confidence_words[] = {"low", "medium", "high", NULL};

/* One row: path, type, unit, default, least, most, words, where, help. */
#define ROW(p, t, u, d, lo, hi, w, s, m, h)                                                 \
    {                                                                                       \
        .path = (p), .type = KEY_##t, .unit = (u), .preset = (d), .min = (lo), .max = (hi), \
        .words = (w), .at = offsetof(s, m), .help = (h)                                     \
    }
#define LIST(p, d, lo, hi, s, m, n, h)                                          \
    {                                                                           \
        .path = (p), .type = KEY_LIST, .preset = (d), .min = (lo), .max = (hi), \
        .at = offsetof(s, m), .count_at = offsetof(s, n), .help = (h)           \
    }
#define NAMED(p, h)                                 \
    {                                               \
        .path = (p), .type = KEY_NAMED, .help = (h) \
    }

#define C(p, t, u, d, lo, hi, w, m, h) ROW(p, t, u, d, lo, hi, w, struct config, m, h)
#define S(p, t, u, d, lo, hi, w, m, h) \
    ROW("streams.*." p, t, u, d, lo, hi, w, struct stream_form, s.m, h)
#define A(p, t, u, d, lo, hi, w, m, h) \
    ROW("accounts.*." p, t, u, d, lo, hi, w, struct account_form, m, h)
#define P(p, t, u, d, lo, hi, w, m, h) \
    ROW("applications.*." p, t, u, d, lo, hi, w, struct application_form, m, h)
#define L(p, t, u, d, lo, hi, w, m, h) \
    ROW("limits.*." p, t, u, d, lo, hi, w, struct limit_form, m, h)

/* Path, type, unit, default, least, most, words, where it goes; help below. */
/* clang-format off */
const struct key config_keys[] = {
    C("state_dir", STRING, NULL, "./mailtide-state", 0, 0, NULL, state_dir,
      "Folder of the store, the status socket and the outbox. Without a configuration file it"
      " is in the current folder; a file for a server normally says \"/var/lib/mailtide\". "
      "Other keys may say ${state_dir}."),
    C("log_level", STRING, NULL, "info", 0, 0, level_words, log_level,
      "Least level that is logged. Recipient addresses appear at debug and below only."),
    LIST("schedules", NULL, 1, 16, struct config, schedules, schedule_count,
      "Folders of profiles, each holding providers/, accounts/ and replies/; a file of a later "
      "folder replaces one of the same name. Not set: $MAILTIDE_SCHEDULES, else ./schedules "
      "where there is one, else the folder that was installed."),

    LIST("smtp.listen", "127.0.0.1:2525", 0, 64, struct config, smtp.listen, smtp.listen_count,
      "Where SMTP is taken: \"ADDRESS:PORT\", \"[IPV6]:PORT\" or \"unix:/PATH\"; port 0 is any"
      " free one. [] for none."),
    C("smtp.hostname", STRING, NULL, NULL, 0, 0, NULL, smtp.hostname,
      "Name in the greeting. Not set: the machine's."),
    LIST("smtp.tls.listen", NULL, 0, 64, struct config, smtp.tls_listen, smtp.tls_listen_count,
      "Where SMTP is taken with TLS from the first byte on (as on port 465), beside smtp.listen, "
      "which offers STARTTLS."),
    C("smtp.tls.certificate", STRING, NULL, NULL, 0, 0, NULL, smtp.tls.certificate_file,
      "PEM file of the certificate chain. Not set: no STARTTLS."),
    C("smtp.tls.key", STRING, NULL, NULL, 0, 0, NULL, smtp.tls.key_file,
      "PEM file of the private key."),
    C("smtp.auth_without_tls", BOOL, NULL, "false", 0, 0, NULL, smtp.auth_without_tls,
      "Take AUTH without TLS from other machines too; loopback and Unix sockets always may."),
    C("smtp.message_max", SIZE, NULL, "25M", 1000, GB, NULL, smtp.message_bytes_max,
      "Largest message."),
    C("smtp.recipients_max", INT, "recipients", "1000", 1, 100000, NULL, smtp.recipients_max,
      "Most recipients of one message (RFC 5321 4.5.3.1.8: at least 100)."),
    C("smtp.connections_max", INT, "connections", "500", 1, 100000, NULL, smtp.connections_max,
      "Most connections at once."),
    C("smtp.connections_per_ip_max", INT, "connections", "200", 1, 100000, NULL,
      smtp.connections_per_ip_max,
      "Most connections at once from one address, loopback included."),
    C("smtp.errors_max", INT, "errors", "20", 1, 10000, NULL, smtp.errors_max,
      "Errors after which a connection ends with 421."),
    C("smtp.messages_per_connection", INT, "messages", "10000", 1, 100000000, NULL,
      smtp.messages_per_connection,
      "Messages after which a connection ends with 421."),
    C("smtp.command_timeout", DURATION, NULL, "5min", SECOND, HOUR, NULL, smtp.command_timeout_ms,
      "Longest wait for a command (RFC 5321 4.5.3.2.7: 5 minutes)."),
    C("smtp.data_timeout", DURATION, NULL, "3min", SECOND, HOUR, NULL, smtp.data_timeout_ms,
      "Longest wait between two pieces of a message (RFC 5321 4.5.3.2.5: 3 minutes)."),
    C("smtp.session_max", DURATION, NULL, "1h", MINUTE, 7 * DAY, NULL, smtp.session_max_ms,
      "Longest session, after which it ends with 421."),
    C("smtp.refuse_early", BOOL, NULL, "false", 0, 0, NULL, smtp.refuse_early,
      "Tell the first recipient of a message at RCPT already that its domain is dead or that all its "
      "mail is suppressed, as far as that is known. Off, because many clients send to nobody when "
      "one RCPT is refused."),

    LIST("http.listen", "127.0.0.1:8025", 0, 64, struct config, http.listen, http.listen_count,
      "Where the HTTP API is taken, as for SMTP."),
    LIST("http.tls.listen", NULL, 0, 64, struct config, http.tls_listen, http.tls_listen_count,
      "Where HTTPS is taken, beside http.listen, which then is in the clear. Not set: with a "
      "certificate all of http.listen is HTTPS, but Unix sockets."),
    C("http.tls.certificate", STRING, NULL, NULL, 0, 0, NULL, http.tls.certificate_file,
      "PEM file of the certificate chain. Not set: plain HTTP."),
    C("http.tls.key", STRING, NULL, NULL, 0, 0, NULL, http.tls.key_file,
      "PEM file of the private key."),
    C("http.body_max", SIZE, NULL, "50M", 1000, GB, NULL, http.body_bytes_max,
      "Largest request body."),
    C("http.batch_max", INT, "notifications", "1000", 1, 100000, NULL, http.batch_max,
      "Most notifications in one request."),
    C("http.connections_max", INT, "connections", "500", 1, 100000, NULL, http.connections_max,
      "Most connections at once."),
    C("http.connections_per_ip_max", INT, "connections", "200", 1, 100000, NULL,
      http.connections_per_ip_max,
      "Most connections at once from one address, loopback included."),
    C("http.idle_timeout", DURATION, NULL, "1min", SECOND, HOUR, NULL, http.idle_timeout_ms,
      "Idle connections are closed after this."),

    C("status.socket", STRING, NULL, "${state_dir}/status.sock", 0, 0, NULL, status.socket,
      "Path of the Unix socket that the command line speaks to."),
    C("status.mode", MODE, NULL, "0660", 0, 0777, NULL, status.mode,
      "Permissions of the socket, octal: who may connect may read."),
    C("status.group", STRING, NULL, NULL, 0, 0, NULL, status.group,
      "Group of the socket. Not set: the daemon's own."),
    LIST("status.operators", NULL, 0, 256, struct config, status.operators, status.operator_count,
      "Users that may operate (release, cancel), beside root and the daemon's own."),

    LIST("dns.servers", "system", 1, 16, struct config, dns.servers, dns.server_count,
      "Resolvers: \"ADDRESS\" or \"ADDRESS:PORT\"; \"system\" stands for those of "
      "/etc/resolv.conf."),
    C("dns.timeout", DURATION, NULL, "2s", 50, MINUTE, NULL, dns.timeout_ms,
      "Longest wait for one answer, then the next server is asked."),
    C("dns.tries", INT, "tries", "4", 1, 100, NULL, dns.tries,
      "Tries over all servers before the answer is \"unknown\"."),
    C("dns.cache_entries_max", INT, "answers", "100000", 100, 100000000, NULL,
      dns.cache_entries_max,
      "Most answers kept in memory."),
    C("dns.private_addresses", BOOL, NULL, "false", 0, 0, NULL, dns.private_addresses,
      "Mail hosts whose addresses are not on the Internet take mail: intranets, mailtide-lab."),
    C("dns.ttl_max", DURATION, NULL, "1d", 0, 30 * DAY, NULL, dns.ttl_max_ms,
      "Longest time that an answer is kept, whatever its TTL."),
    C("dns.negative_ttl_max", DURATION, NULL, "1h", 0, DAY, NULL, dns.negative_ttl_max_ms,
      "Longest time that a negative answer is kept (RFC 2308 5: one to three hours)."),
    C("dns.stale_max", DURATION, NULL, "3d", 0, 30 * DAY, NULL, dns.stale_max_ms,
      "Answers that expired this long ago may still serve while DNS fails (RFC 8767 5: one to"
      " three days)."),

    C("store.path", STRING, NULL, "${state_dir}/mailtide.db", 0, 0, NULL, store.path,
      "The SQLite file."),
    C("store.keep", DURATION, NULL, "90d", HOUR, 3660 * DAY, NULL, store.keep_ms,
      "How long finished notifications and their journal are kept. A recipient goes later, once"
      " nothing that was learnt of him counts any more."),
    C("store.size_max", SIZE, NULL, "0", 0, 1000000 * GB, NULL, store.size_bytes_max,
      "The file is pruned down to this, oldest finished first. 0: no bound."),
    C("store.free_min", SIZE, NULL, "100M", 0, 1000 * GB, NULL, store.free_bytes_min,
      "Intake stops (452, 503) while the disk has less room than this."),

    C("planner.reserve", INT, "mails", "2", 0, 1000000, NULL, planner.reserve,
      "Mails of a recipient's limit that are kept for urgent streams."),
    C("planner.policy", STRING, NULL, "quiet", 0, 0, policy_words, planner.policy,
      "When a digest leaves, for recipients with a daily limit. \"quiet\": after a pause whose "
      "length follows from what is left of the limit and what the recipient is expected to get "
      "today; \"even\": at once while direct_share is free, then evenly over the rest of the "
      "day. Limits that do not count days always get the latter."),
    C("planner.margin", DURATION, NULL, "30s", 0, HOUR, NULL, planner.margin_ms,
      "Kept clear around a reset, for clocks that differ and mail in flight."),
    C("planner.spread", DURATION, NULL, "10min", 0, DAY, NULL, planner.spread_ms,
      "Releases after a reset are spread over this."),
    C("planner.direct_share", REAL, NULL, "0.5", 0, 1, NULL, planner.direct_share,
      "While more than this share of a recipient's limit is free, notifications go out at "
      "once; below it they wait for a digest."),

    C("guards.enabled", BOOL, NULL, "true", 0, 0, NULL, guards.enabled,
      "Narrows and closes what goes through an account while its bounces or complaints are surely "
      "over the levels at which its ESP, or a provider, reviews or stops it."),
    C("guards.urgent", BOOL, NULL, "true", 0, 0, NULL, guards.urgent,
      "Urgent streams still go while a guard is narrow."),
    C("guards.memory", DURATION, NULL, "7d", HOUR, 365 * DAY, NULL, guards.memory_ms,
      "Mails count half after this time."),
    C("guards.rest", DURATION, NULL, "1d", MINUTE, 30 * DAY, NULL, guards.rest_ms,
      "A closed guard narrows again after this time."),

    C("digest.templates_dir", STRING, NULL, NULL, 0, 0, NULL, digest.templates_dir,
      "Folder of templates. Not set: the built-in ones."),
    C("digest.items_max", INT, "notifications", "50", 1, 1000, NULL, digest.items_max,
      "Notifications shown in one digest; the rest is counted."),
    C("digest.format", STRING, NULL, "html", 0, 0, format_words, digest.format,
      "\"html\": one mail in text and HTML; \"mime\": multipart/digest with the originals "
      "(RFC 2046 5.1.5)."),

    C("bounce.domain", STRING, NULL, NULL, 0, 0, NULL, bounce.domain,
      "Domain of the envelope senders that are made for each mail, bounce+...@DOMAIN; its MX has "
      "to lead to an SMTP listener here. Not set: none are made."),
    LIST("bounce.addresses", NULL, 0, 100, struct config, bounce.addresses, bounce.address_count,
      "Further addresses whose mail is read as bounces and complaints, not as notifications: where "
      "feedback loops and forwarded bounces arrive."),
    C("bounce.key", SECRET, NULL, NULL, 0, 0, NULL, bounce.key,
      "What the made addresses are proven with, 16 characters or more. Not set: a key that is made "
      "once and kept in state_dir."),

    C("sender_checks.every", DURATION, NULL, "6h", 0, 30 * DAY, NULL, sender_checks.every_ms,
      "How often the senders in use are checked as `mailtide check-sender` does, each through each "
      "of its accounts; one that fails is looked at more often. 0s: never."),
    C("sender_checks.on_failure", WORD, NULL, "hold_bulk", 0, 0, sender_words,
      sender_checks.on_failure,
      "What is done when a sender that passed no longer passes: raise an alarm, or also hold its "
      "bulk streams until it passes again. That DNS does not answer is no failure."),
    C("sender_checks.on_first_failure", WORD, NULL, "warn", 0, 0, sender_words,
      sender_checks.on_first_failure,
      "The same for a sender that has never passed since mailtide watches it."),
    C("sender_checks.block_lists", BOOL, NULL, "false", 0, 0, NULL, sender_checks.block_lists,
      "Ask the block lists of schedules/dnsbl.conf each time too."),
    LIST("suppression.never", NULL, 0, 10000, struct config, suppression.never,
      suppression.never_count,
      "Domains and addresses that no reply and no complaint ever suppresses; only you can."),

    NAMED("streams",
      "Classes of notifications, by name. This group replaces the built-in one as a whole."),
    S("priority", INT, NULL, "5", 0, 9, NULL, priority, "0 is the most urgent."),
    S("urgent", BOOL, NULL, "false", 0, 0, NULL, urgent,
      "May use the reserve and never waits for a digest."),
    S("digest", BOOL, NULL, "true", 0, 0, NULL, digest, "May be put into a digest."),
    S("bulk", BOOL, NULL, "false", 0, 0, NULL, bulk,
      "Newsletters and the like: checked for one-click unsubscribe (RFC 8058), and held while its "
      "sender no longer passes (sender_checks.on_failure)."),
    S("deadline", DURATION, NULL, "0s", 0, 366 * DAY, NULL, deadline_ms,
      "Counted from acceptance. 0s: none."),
    S("on_deadline", WORD, NULL, "send", 0, 0, deadline_words, on_deadline,
      "What is done with what has not gone out by then."),
    S("hold_max", DURATION, NULL, "4h", 0, 366 * DAY, NULL, hold_ms_max,
      "A digest is not held longer than this while there is room. 0s: no bound."),
    S("weight", INT, NULL, "1", 1, 100, NULL, weight,
      "How much a minute of waiting counts, against the other streams: a digest leaves the sooner "
      "the more is in it. 3 for what is meant for the reader, 1 for what he merely watches."),
    S("on_unknown", WORD, NULL, "send", 0, 0, unknown_words, on_unknown,
      "While the recipient's domain could not be verified (DNS down): send all the same, or "
      "hold."),
    S("on_risky", WORD, NULL, "send", 0, 0, risky_words, on_risky,
      "What is done for a recipient whose verdict is risky (a parked domain, an MX that is an "
      "address): send all the same, or hold until the verdict changes or an operator releases or "
      "cancels it."),
    S("on_suppressed", WORD, NULL, "refuse", 0, 0, suppressed_words, on_suppressed,
      "What is done with mail to a suppressed recipient: refuse it; try all the same, once its "
      "domain was verified anew, if it is suppressed for its address or mailbox and not for a "
      "complaint, an unsubscription or by hand; or try always."),
    LIST("streams.*.risky", NULL, 0, 4, struct stream_form, s.risky, s.risky_count,
      "Hints that make a recipient risky for this stream as well: \"typo\", \"role\", "
      "\"disposable\", \"free-mail\"."),

    NAMED("accounts",
      "What mail goes out through, by name. This group replaces the built-in one as a whole."),
    A("type", WORD, NULL, "smtp", 0, 0, account_words, a.type,
      "\"smtp\": a smarthost; \"https\": an ESP's API; \"outbox\": a Maildir, to look at."),
    A("profile", STRING, NULL, NULL, 0, 0, NULL, profile,
      "Name of a profile in schedules/accounts: the ESP's limits."),
    A("path", STRING, NULL, "${state_dir}/outbox", 0, 0, NULL, a.path, "Maildir of an outbox."),
    A("host", STRING, NULL, NULL, 0, 0, NULL, a.host, "Smarthost; needed for smtp."),
    A("port", INT, NULL, "587", 1, 65535, NULL, a.port, "465 goes with tls = \"implicit\"."),
    A("tls", WORD, NULL, "required", 0, 0, tls_words, a.tls,
      "\"required\": STARTTLS or nothing; \"implicit\": TLS from the first byte."),
    A("tls_verify", BOOL, NULL, "true", 0, 0, NULL, a.tls_verify,
      "The certificate must be valid and name the host."),
    A("tls_ca_file", STRING, NULL, NULL, 0, 0, NULL, a.tls_ca_file,
      "PEM file of the authorities that are trusted. Not set: the system's."),
    A("auth", WORD, NULL, "any", 0, 0, auth_words, a.auth,
      "\"any\": the best that the server offers, if there is a user."),
    A("user", STRING, NULL, NULL, 0, 0, NULL, a.user, "User name; none: no authentication."),
    LIST("accounts.*.selectors", NULL, 0, 16, struct account_form, a.selectors, a.selector_count,
      "DKIM selectors that it signs with, for the checks of senders. Not set: the profile's usual "
      "ones."),
    LIST("accounts.*.ips", NULL, 0, 16, struct account_form, a.ips, a.ip_count,
      "Addresses that the mail leaves from, where they are your own: the checks of senders then "
      "look at their SPF, PTR and block lists."),
    A("mail_from", STRING, NULL, NULL, 0, 0, NULL, a.mail_from,
      "Domain of the envelope senders (Return-Path) that it puts on your mail, for the checks of "
      "senders: SPF is looked up there and has to align with From. \"{domain}\" in it stands for "
      "From's domain, as in \"bounces.{domain}\". Not set: bounce.domain where verp puts it there, "
      "else From's."),
    A("password", SECRET, NULL, NULL, 0, 0, NULL, a.password, "Password, or the OAuth token."),
    A("helo", STRING, NULL, NULL, 0, 0, NULL, a.helo,
      "Name given in EHLO. Not set: the machine's."),
    A("api", STRING, NULL, NULL, 0, 0, api_words, a.api,
      "https: whose API is spoken. Not set: the profile's. smtp: with a key, whose suppression list "
      "is kept right (lists_every)."),
    A("base_url", STRING, NULL, NULL, 0, 0, NULL, a.base_url,
      "https: where the API is, as https://HOST[:PORT][/PATH]; http:// with tls = \"none\" only."
      " Not set: the profile's."),
    A("key", SECRET, NULL, NULL, 0, 0, NULL, a.key,
      "The API key or server token; of SES the secret access key. An smtp account needs one only for "
      "the ESP's suppression list."),
    A("key_id", STRING, NULL, NULL, 0, 0, NULL, a.key_id, "https, SES: the access key's id."),
    A("region", STRING, NULL, NULL, 0, 0, NULL, a.region,
      "https, SES: the region, as \"eu-west-1\"."),
    A("domain", STRING, NULL, NULL, 0, 0, NULL, a.domain,
      "https, Mailgun: the sending domain. Not set: the one of each mail's From address."),
    A("message_stream", STRING, NULL, NULL, 0, 0, NULL, a.message_stream,
      "Postmark: the message stream of mail whose header names none (X-PM-Message-Stream), and the "
      "one whose suppression list is kept right. Not set: \"outbound\"."),
    A("ip_pool", STRING, NULL, NULL, 0, 0, NULL, a.ip_pool,
      "Names the sending addresses, for limits that count by them; accounts with the same one"
      " share them. Not set: the account's name."),
    A("connections", INT, "connections", "0", 0, 1000, NULL, a.connections,
      "Most connections at once. 0: the profile's, else 4."),
    A("messages_per_connection", INT, "messages", "0", 0, 1000000, NULL, a.messages_per_connection,
      "0: the profile's, else 100."),
    A("batch_max", INT, "mails", "0", 0, 1000, NULL, a.batch_max,
      "https: most different mails that leave in one request, where the API takes several "
      "(Postmark, Resend): those that are ready when a connection is; none waits for others. 0: the "
      "profile's, at most 50, else 1. 1: one each."),
    A("connect_timeout", DURATION, NULL, "30s", 100, 10 * MINUTE, NULL, a.connect_timeout_ms,
      "Longest wait for a connection."),
    A("command_timeout", DURATION, NULL, "5min", 100, HOUR, NULL, a.command_timeout_ms,
      "Longest wait for a reply (RFC 5321 4.5.3.2)."),
    A("dot_timeout", DURATION, NULL, "10min", 100, HOUR, NULL, a.dot_timeout_ms,
      "Longest wait for the reply after the final dot (RFC 5321 4.5.3.2.6)."),
    A("backoff_min", DURATION, NULL, "30s", 100, DAY, NULL, a.backoff_min_ms,
      "First pause after the account failed; doubled each time."),
    A("backoff_max", DURATION, NULL, "1h", 100, 7 * DAY, NULL, a.backoff_max_ms,
      "Longest such pause."),
    A("unknown_wait", DURATION, NULL, "1h", 0, 7 * DAY, NULL, a.unknown_wait_ms,
      "An attempt whose answer was lost waits so long for news, then is tried again."),
    A("quota_every", DURATION, NULL, "10min", 0, 30 * DAY, NULL, a.quota_every_ms,
      "What the account may send, has sent, and how it stands is read through the ESP's API at the "
      "start and this often, where it has one for that (Amazon SES). 0s: never."),
    A("lists_every", DURATION, NULL, "6h", 0, 30 * DAY, NULL, a.lists_every_ms,
      "The suppression list that the ESP keeps is read through its API this often, and soon after "
      "the start: who stands there for no fault of his own is taken off, dead addresses and "
      "complaints are learnt. 0s: only when asked (mailtide suppress sync). Mailgun's lists belong "
      "to a domain: the key domain, or the only one that applications send as through the account; "
      "Postmark's to a message_stream."),
    A("events", STRING, NULL, NULL, 0, 0, events_words, a.events,
      "Whose webhooks are taken at POST /v1/events/ACCOUNT. Not set: those of the account's api, "
      "or its profile's. smtp: whose field for custom args mail gets, too; not set: known by host."),
    A("events_key", SECRET, NULL, NULL, 0, 0, NULL, a.events_key,
      "What the ESP's webhooks are signed with: SendGrid's or Postal's public key, the signing key "
      "or secret of the others. Several on lines of their own, while one takes another's place."),
    A("events_login", SECRET, NULL, NULL, 0, 0, NULL, a.events_login,
      "\"USER:PASSWORD\" that webhooks must show (Basic authentication), beside a signature where "
      "there is one; several on lines of their own."),
    A("events_token", SECRET, NULL, NULL, 0, 0, NULL, a.events_token,
      "Token that webhooks must show as \"Authorization: Bearer TOKEN\" or \"X-Mailtide-Token: "
      "TOKEN\"; several on lines of their own."),
    LIST("accounts.*.events_topics", NULL, 0, 100, struct account_form, a.events_topics,
      a.events_topic_count,
      "SES: ARNs of the SNS topics that may tell; anybody's topics are signed by Amazon."),
    A("events_certificate", STRING, NULL, NULL, 0, 0, NULL, a.events_certificate,
      "SES: PEM file of the certificate that SNS signs with, where this machine cannot fetch it from "
      "Amazon. Not set: it is fetched, once."),
    A("events_sns", STRING, NULL, NULL, 0, 0, NULL, a.events_sns,
      "SES: https://HOST[:PORT] that is asked for SNS's certificates and confirmed subscriptions in "
      "place of sns.REGION.amazonaws.com, its certificate checked with tls_ca_file: an endpoint "
      "within a VPC. Not set: Amazon's own host."),
    A("events_url", STRING, NULL, NULL, 0, 0, NULL, a.events_url,
      "Mandrill: the address of the webhook as it was given there, which is signed too. Not set: "
      "as it is asked for."),
    A("events_open", BOOL, NULL, "false", 0, 0, NULL, a.events_open,
      "Webhooks need no proof at all: only where nobody else can reach the listener."),
    A("verp", BOOL, NULL, "true", 0, 0, NULL, a.verp,
      "smtp, with a bounce.domain: mail leaves with an envelope sender of its own there, so that "
      "what comes back finds its notification. Off where the smarthost wants to know the sender."),
    NAMED("accounts.*.limits",
      "The account's own limits, by name: in place of the profile's of that name (what is not"
      " said is taken from there), beside its others."),

    NAMED("applications",
      "Programs that hand over notifications, by name. This group replaces the built-in one "
      "as a whole."),
    P("key", SECRET, NULL, NULL, 0, 0, NULL, a.key,
      "Bearer key for HTTP. Not set: it may not use HTTP."),
    P("ses_access_key", STRING, NULL, NULL, 0, 0, NULL, a.ses_access_key,
      "Access key id that its AWS SDK signs with when it calls mailtide in place of Amazon SES."),
    P("ses_secret", SECRET, NULL, NULL, 0, 0, NULL, a.ses_secret,
      "Secret access key that belongs to it."),
    P("smtp_user", STRING, NULL, NULL, 0, 0, NULL, a.smtp_user, "User name for SMTP AUTH."),
    P("smtp_password", SECRET, NULL, NULL, 0, 0, NULL, a.smtp_password, "Password for SMTP AUTH."),
    P("anonymous", BOOL, NULL, "false", 0, 0, NULL, a.anonymous,
      "Stands for clients on loopback and Unix sockets that do not authenticate; one may."),
    LIST("applications.*.senders", NULL, 0, 10000, struct application_form, a.sender_domains,
      a.sender_domain_count,
      "Domains that it may send as: \"example.com\", \".example.com\" for all below, \"*\" "
      "for any (listeners on loopback and Unix sockets only)."),
    P("stream", STRING, NULL, NULL, 0, 0, NULL, stream,
      "Stream of what does not name one. Not set: notify, else the first."),
    LIST("applications.*.accounts", NULL, 1, 64, struct application_form, accounts, account_count,
      "Accounts in order of preference; the next takes over when one fails or is full. Not set: all, as "
      "written."),
    P("intake_per_minute_max", COUNT, "notifications per minute", "0", 0, 1000000000, NULL,
      a.intake_per_minute_max,
      "0: no bound."),
    P("webhook.url", STRING, NULL, NULL, 0, 0, NULL, a.webhook.url,
      "Where it is told of events as they come, signed as the Standard Webhooks say: https://, "
      "or http:// on this machine."),
    P("webhook.secret", SECRET, NULL, NULL, 0, 0, NULL, a.webhook.secret,
      "What the webhook is signed with: \"whsec_\" and 24 to 64 bytes in base64. Two with a "
      "blank between both sign, while one takes the other's place."),
    LIST("applications.*.webhook.types", NULL, 0, 64, struct application_form, a.webhook.types,
      a.webhook.type_count,
      "Types of events: \"notification.bounced\", \"recipient.*\". Not set: those that tell of a "
      "fate or a trouble."),
    P("webhook.connections", INT, NULL, "1", 1, 32, NULL, a.webhook.connections,
      "So many are told at once; with 1 they come in order."),
    P("webhook.timeout", DURATION, NULL, "15s", 1000, 5 * MINUTE, NULL, a.webhook.timeout_ms,
      "To take one event."),
    P("webhook.tls_ca_file", STRING, NULL, NULL, 0, 0, NULL, a.webhook.tls_ca_file,
      "Certificates to trust in place of the system's."),
    P("alarms", BOOL, NULL, "false", 0, 0, NULL, a.alarms,
      "Its events tell of alarms, too, which concern the installation as a whole."),

    NAMED("providers", "The operator's own numbers for mailbox providers, by profile name."),
    NAMED("providers.*.limits",
      "Limits by name: in place of the profile's of that name (what is not said is taken from"
      " there), beside its others."),

    L("scope", WORD, NULL, NULL, 0, 0, scope_words, l.scope, "What one counter counts for."),
    L("count", COUNT, NULL, NULL, 1, 1000000000000, NULL, l.count,
      "At most so many in the window."),
    L("burst", COUNT, NULL, NULL, 1, 1000000000, NULL, l.burst,
      "Of a rate: at most so many at once; 1 if not said."),
    L("window", STRING, NULL, NULL, 0, 0, NULL, window,
      "\"minute\", \"hour\", \"day\", \"month\" (of the calendar), \"clock 30min\" (fixed "
      "spans from midnight), \"rolling 24h\", \"rate 1s\" (count per span, spaced) or "
      "\"cooldown 24h\" (since the last attempt)."),
    L("zone", STRING, NULL, NULL, 0, 0, NULL, l.window.zone,
      "IANA time zone of a calendar or clock window. Not set: UTC."),
    L("offset", DURATION, NULL, NULL, 0, 28 * DAY, NULL, l.window.offset_ms,
      "A calendar window starts so much after its unit."),
    L("counts", WORD, NULL, NULL, 0, 0, counts_words, l.counts,
      "What uses it up: every try, every accepted recipient, or every message; attempts if "
      "not said."),
    L("replies_free", BOOL, NULL, NULL, 0, 0, NULL, l.replies_free,
      "Mail that answers the recipient is not counted."),
    L("source", WORD, NULL, NULL, 0, 0, source_words, l.source,
      "How the number is known; configured if not said."),
    L("reference", STRING, NULL, NULL, 0, 0, NULL, l.reference, "Where it is from, in words."),
    L("date", STRING, NULL, NULL, 0, 0, NULL, l.date, "When it was found: \"2026-11-21\"."),
    L("confidence", WORD, NULL, NULL, 0, 0, confidence_words, l.confidence,
      "How far it can be trusted; high if not said."),
};
const size_t config_key_count = TIDE_COUNT(config_keys);

#define F(p, t, u, lo, hi, m, h) ROW(p, t, u, NULL, lo, hi, NULL, struct profile, m, h)
#define SOURCED(p, t, u, lo, hi, m, h)                                                        \
    {                                                                                         \
        .path = (p), .type = KEY_##t, .unit = (u), .min = (lo), .max = (hi), .sourced = true, \
        .at = offsetof(struct profile, m), .help = (h)                                        \
    }
#define FLIST(p, lo, m, n, h) LIST(p, NULL, lo, 1000, struct profile, m, n, h)

/* What both kinds of profiles say. */
#define COMMON(k)                                                                                  \
    F(k "title", STRING, NULL, 0, 0, title, "What people call it."),                               \
        SOURCED(k "connections", INT, "connections", 1, 10000, connections,                        \
                "Most connections at once."),                                                      \
        SOURCED(k "messages_per_connection", INT, "messages", 1, 1000000, messages_per_connection, \
                "Messages after which a new connection is made."),                                 \
        SOURCED(k "recipients_per_message", INT, "recipients", 1, 1000000, recipients_per_message, \
                "Most recipients of one message."),                                                \
        SOURCED(k "message_max", SIZE, NULL, 1000, 10 * GB, message_bytes_max,                     \
                "Largest message."),                                                               \
        NAMED(k "limits", "Limits by name."), NAMED(k "guards", "Rates that it watches, by name.")

const struct key profile_keys[] = {
    COMMON("provider."),

    FLIST("provider.formerly", 0, formerly, formerly_count,
      "Names that this profile had before, the oldest first: what was counted and learnt under "
      "them goes on to count."),
    FLIST("provider.mx", 0, mx_suffixes, mx_suffix_count,
      "Mail exchangers: a host's whole name, or \".suffix\" for every host below."),
    FLIST("provider.domains", 0, domains, domain_count,
      "Recipient domains that are the provider's own."),
    FLIST("provider.spf", 0, spf_includes, spf_include_count,
      "SPF includes of its customers; they confirm, and never decide alone."),
    FLIST("provider.selectors", 0, dkim_selectors, dkim_selector_count,
      "DKIM selectors of its customers, \"NAME\" or \"NAME END\" where the CNAME there leads to a "
      "name below END; they confirm too."),
    F("provider.gateway", BOOL, NULL, 0, 0, is_gateway,
      "It filters for somebody else's mailboxes."),
    F("provider.ignores_dots", BOOL, NULL, 0, 0, ignores_dots,
      "Local part: a.b and ab are one mailbox, for counting."),
    F("provider.subaddress", CHAR, NULL, 0, 0, subaddress_sep,
      "Local part: this character and what follows it are left out, for counting."),

    COMMON("account."),

    FLIST("account.spf", 0, spf_includes, spf_include_count,
      "SPF includes that let it send in a domain's name."),
    FLIST("account.selectors", 0, dkim_selectors, dkim_selector_count,
      "DKIM selectors that it has its customers publish."),
    FLIST("account.smtp_hosts", 0, smtp_hosts, smtp_host_count,
      "Its smarthosts, one \"*\" in each standing for anything: mail of an smtp account there gets "
      "its field for custom args."),
    F("account.api", STRING, NULL, 0, 0, api,
      "Which API it speaks, for accounts of type https."),
    SOURCED("account.batch_max", INT, "mails", 1, 1000, batch_max,
            "Most mails of different contents in one request of that API."),
    F("account.base_url", STRING, NULL, 0, 0, base_url,
      "Where that API is; {region} stands for the account's region."),

    ROW("guard.counts", WORD, NULL, NULL, 0, 0, guard_words, struct guard_rule, counts,
      "\"bounces\": mails refused for good for their address; \"complaints\"."),
    ROW("guard.review", REAL, NULL, NULL, 0, 1, NULL, struct guard_rule, review,
      "From this share of all mails on it reviews whoever sends: 0.05 is 5 %."),
    ROW("guard.pause", REAL, NULL, NULL, 0, 1, NULL, struct guard_rule, pause,
      "From this share on it may stop them."),
    ROW("guard.volume", COUNT, "mails", NULL, 100, 10000000, NULL, struct guard_rule, volume,
      "Over about so many of the last mails; 10000 if not said."),
    ROW("guard.source", WORD, NULL, NULL, 0, 0, source_words, struct guard_rule, source,
      "How the numbers are known."),
    ROW("guard.reference", STRING, NULL, NULL, 0, 0, NULL, struct guard_rule, reference,
      "Where they are from, in words."),
    ROW("guard.date", STRING, NULL, NULL, 0, 0, NULL, struct guard_rule, date,
      "When they were found there: \"2026-11-21\"."),
    ROW("guard.confidence", WORD, NULL, NULL, 0, 0, confidence_words, struct guard_rule, confidence,
      "How far they can be trusted."),

    NAMED("source.value", "The number itself, of the key's own type and range."),
    ROW("source.source", WORD, NULL, NULL, 0, 0, source_words, struct source_form, source,
      "How the number is known."),
    ROW("source.reference", STRING, NULL, NULL, 0, 0, NULL, struct source_form, reference,
      "Where it is from, in words."),
    ROW("source.date", STRING, NULL, NULL, 0, 0, NULL, struct source_form, date,
      "When it was found: \"2026-11-21\"."),
    ROW("source.confidence", WORD, NULL, NULL, 0, 0, confidence_words, struct source_form,
      confidence,
      "How far it can be trusted."),
};
/* clang-format on */
const size_t profile_key_count = TIDE_COUNT(profile_keys);

const char config_builtin[] =
    "streams: {\n"
    "  urgent: { priority = 0; urgent = true; digest = false; on_suppressed = \"try\"; };\n"
    "  direct: { priority = 3; };\n"
    "  notify: { priority = 5; };\n"
    "};\n"
    "accounts: {\n"
    "  outbox: { type = \"outbox\"; };\n"
    "};\n"
    "applications: {\n"
    "  default: { anonymous = true; senders = [\"*\"]; };\n"
    "};\n";

const char *key_type_name(enum key_type type)
{
    static const char *const names[] = {
        [KEY_BOOL] = "true or false",
        [KEY_INT] = "a whole number",
        [KEY_COUNT] = "a whole number",
        [KEY_REAL] = "a number",
        [KEY_STRING] = "a text in quotes",
        [KEY_DURATION] = "a duration such as \"10min\"",
        [KEY_SIZE] = "a size such as \"25M\"",
        [KEY_WORD] = "a word in quotes",
        [KEY_LIST] = "a list such as [\"a\", \"b\"]",
        [KEY_SECRET] = "a secret in quotes",
        [KEY_MODE] = "octal permissions such as \"0660\"",
        [KEY_CHAR] = "one character in quotes",
        [KEY_NAMED] = "a group of named groups",
    };
    return names[type];
}

const char *key_duration_text(int64_t ms, char *out)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"d", DAY}, {"h", HOUR}, {"min", MINUTE}, {"s", SECOND}, {"ms", 1}};
    size_t i = 0;
    if (ms == 0)
        i = 3;
    while (ms % units[i].ms != 0)
        i++;
    snprintf(out, KEY_TEXT_BYTES, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
    return out;
}

const char *key_size_text(int64_t bytes, char *out)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"G", GB}, {"M", MB}, {"MiB", 1 << 20}, {"k", 1000}, {"KiB", 1 << 10}, {"", 1}};
    size_t i = bytes == 0 ? TIDE_COUNT(units) - 1 : 0;
    while (bytes % units[i].bytes != 0)
        i++;
    snprintf(out, KEY_TEXT_BYTES, "%lld%s", (long long)(bytes / units[i].bytes), units[i].name);
    return out;
}
