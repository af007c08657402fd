/* The table of commands, options and exit codes. Whoever adds a row here runs `make manual`. */
#include "cmd/mailtide/cli.h"

#include "base/macros.h"

#define ADDRESS_OR_ID "ADDRESS|ID"

/* clang-format off */
const struct cli_command cli_commands[] = {
    {"status", "", 0, 0, cmd_status, "how the daemon is doing: mail, accounts, store",
     "Says no (exit code 1) while the daemon does not take mail or its store does not write."},
    {"top", "", 0, 0, cmd_top, "the same, refreshed; q ends it", NULL},
    {"queue", "", 0, 0, cmd_queue, "what waits, why, and until when", NULL},
    {"why", ADDRESS_OR_ID, 1, 1, cmd_why,
     "the story of a recipient or of one notification",
     "Who the recipient is (domain, provider, verdict with evidence), what is pending with its "
     "reason and release time, then what happened: each refusal with all that followed from it "
     "below, and what ended it. Alike decisions in a row are told once."},
    {"events", "[retry [ID]]", 0, 2, cmd_events,
     "what became of mail, in order; what webhooks did not take",
     "The events that applications follow over HTTP or are told by webhooks (README: Events), the "
     "oldest that is kept first. With --dead, those that a webhook did not take in a day of tries; "
     "\"retry\" tells them, or the one of that ID, again."},
    {"limits", "[ADDRESS] | pin SCOPE NAME [NAME] COUNT | forget SCOPE NAME [NAME]", 0, 5, cmd_limits,
     "every limit with what is used of it",
     "With an address, the limits that apply to it; else those of providers and accounts that "
     "have been in use. With --learned those that replies have taught: the number that is kept "
     "to, how sure it is, and the replies.\n\n"
     "pin sets a number that no reply changes, forget drops what was learned of something, and "
     "opens what a reply has closed. SCOPE and its names: recipient ADDRESS, pair SENDER ADDRESS, "
     "domain DOMAIN, provider PROVIDER, sender-domain-provider DOMAIN PROVIDER, ip-provider POOL "
     "PROVIDER, ip-domain POOL DOMAIN, account ACCOUNT, account-stream ACCOUNT STREAM; a POOL is "
     "the account's ip_pool, or the account."},
    {"suppress", "list | add ADDRESS | remove ADDRESS | why ADDRESS | export | import FILE | sync", 1, 2,
     cmd_suppress, "who is not to be mailed, why, and until when",
     "list shows who is suppressed now, with the words that did it; why all that was ever said of "
     "one address. add and remove are for operators; remove marks the ESPs' own lists for mending "
     "too.\n\n"
     "export writes CSV (email, reason, created, cause, scope, expires) or, with --format ses, what "
     "SES imports. import takes what the consoles of SES, SendGrid and others export, or an address "
     "a line; - is standard input. An entry whose reason turns out to be a limit, an outage or a "
     "fault of the sender suppresses nobody, and is named.\n\n"
     "sync reads the ESPs' own lists through their APIs now, as the daemon does by itself every "
     "lists_every: who stands there for no fault of his own is taken off, dead addresses and "
     "complaints are learnt, all else is left. --dry-run only tells."},
    {"guard", "list | open NAME", 1, 2, cmd_guard,
     "bounce and complaint rates that ESPs watch",
     "Each rate as the ESP or the provider counts it, what it surely is over, and the levels at "
     "which mailtide narrows (only recipients that took mail before get any) and closes. open "
     "forgives what was counted."},
    {"verify", "[ADDRESS...|FILE|-]", 0, -1, cmd_verify,
     "whether addresses can take mail, with evidence",
     "Checks the syntax and asks DNS with the servers of the configuration; needs no daemon. When"
     " one runs, it is asked whether the recipient is suppressed. Says no (exit code 1) unless "
     "every address can take mail.\n\n"
     "With a file, or nothing, or \"-\" for standard input, it verifies a list of any length: CSV, "
     "a JSON object a line, or an address a line. Each record of the list gives one row of the "
     "output, in the same order; each domain is asked for once."},
    {"send", "", 0, 0, cmd_send, "hands in a notification",
     "With -t the message stands on standard input (RFC 5322), for those in To, Cc and Bcc. "
     "Else it is made of --from, --to and --subject, with the text of --text or of standard "
     "input."},
    {"sendmail", "[-t] [-i] [-f SENDER] [ADDRESS...]", 0, CLI_OWN_WORDS, cmd_sendmail,
     "hands in mail as programs do that know sendmail(8)",
     "Reads a message from standard input and hands it in at the daemon's SMTP door; a link named "
     "sendmail to mailtide does the same. Options are those of Postfix's sendmail: -t takes the "
     "recipients from To, Cc and Bcc, -f names the envelope's sender, -F the person, -i or -oi lets "
     "a line of one dot be a line, -bs speaks SMTP on standard input and output, -bp is mailtide "
     "queue, -N -R -V are those of RFC 3461; what steers a queue of its own is taken and means "
     "nothing. A name without a domain is looked up in /etc/aliases, else gets the name in "
     "/etc/mailname, or of the machine.\n\n"
     "The door is $MAILTIDE_SMTP ([USER:PASSWORD@]ADDRESS, as \"unix:/run/mailtide/smtp.sock\"), "
     "or that of the configuration. Exit codes are those of sysexits.h: 64 the command line, 65 the "
     "message, 69 refused, 75 try again later, 77 not permitted."},
    {"cancel", ADDRESS_OR_ID, 1, 1, cmd_cancel, "what is pending shall not leave",
     "For operators: root, the daemon's user and those of status.operators."},
    {"release", ADDRESS_OR_ID, 1, 1, cmd_release, "what is held shall leave now",
     "For operators. It counts in every limit, may use the reserve, and does not go over a limit"
     "."},
    {"check-config", "", 0, 0, cmd_check_config, "reads a configuration as the daemon would",
     "Profiles, time zones, limits and templates are loaded too. What is wrong is named by file "
     "and line (exit code 1). Without a file: /etc/mailtide/mailtide.conf where there is one, "
     "else the embedded defaults."},
    {"backup", "FILE", 1, 1, cmd_backup, "copies the store, while the daemon runs or not",
     "The database of the configuration (-c) as it is at one instant, checked, into a new file. "
     "Intake and releases go on meanwhile. To restore it, here or on another machine: stop the "
     "daemon, put the file in the place of mailtide.db in state_dir, remove mailtide.db-wal and "
     "mailtide.db-shm, start. A copy does not know what was done since: what was pending in it and "
     "has left since leaves again. Where there are bounce addresses, bounce.key in state_dir belongs "
     "to the backup, else what comes back to older mail is not recognised."},
    {"simulate", "", 0, 0, cmd_simulate, "what would have been: a log of notifications, replayed",
     "Runs the daemon's own planner over a log in virtual time, for one or several limits a "
     "mailbox and day and several policies side by side: mails, digests, delays, what would have "
     "been refused if sent directly, urgent mail held, and how good the forecast was. Needs no "
     "daemon, and sends nothing.\n\n"
     "The log is a table (TIME, RECIPIENT, and perhaps THREAD and PRIORITY, which is urgent, direct, "
     "watched or 0 to 2, divided by tabs or commas, or CSV whose first line names its columns, as "
     "SendGrid's and SES' exports do), a Postfix log, or events as JSON (of SES, or SendGrid's "
     "webhook). A time is in seconds since 1970, RFC 3339 or \"2026-03-02 10:11:12\". Files that "
     "end in .xz or .gz are unpacked by xz(1) and gzip(1)."},
    {"forecast", "[ADDRESS]", 0, 1, cmd_forecast,
     "what is still to come, by hour, and whether a limit holds it",
     "For a recipient until his limit starts anew; with --provider or --account the sum over all "
     "their recipients, against the limits that these share. Counts are notifications, as if each "
     "left as a mail of its own: digests make fewer of them."},
    {"learn", "FILE", 1, 1, cmd_learn, "what was sent before mailtide came, for the forecast",
     "Reads a log of what your application has sent so far, so that the forecast knows the hours, "
     "the weekdays and each recipient from the first day on: into the running daemon (for "
     "operators), or straight into the store while none runs. What mailtide has known for longer "
     "than the log does stays. The log is what simulate reads, - is standard input.\n\n"
     "Says what it learnt. Nothing is sent, and nobody is verified."},
    {"check-sender", "[DOMAIN]", 0, 1, cmd_check_sender,
     "whether mail from a domain will be trusted where it arrives",
     "SPF, DKIM, DMARC and alignment, PTR and block lists of your own addresses, and one-click "
     "unsubscribe, each with its evidence, with what it means at which mailbox provider, "
     "and with the record to publish. Asks DNS with the servers of the configuration; needs no daemon."
     " With --watched it asks the daemon instead what it found at last of the senders in use."
     " Says no (exit code 1) when something is bad or could not be found out; notes are no fault"
     "."},
    {"explain", "[TEXT...]", 0, -1, cmd_explain,
     "what a mail server's reply means, or a mail that came back",
     "Cause, whose fault it is, the words that tell, what to do, what mailtide would do, and the "
     "rule with its source. The text is a reply as a log or an ESP shows it; - or nothing is "
     "standard input. Needs no daemon. Says no (exit code 1) when no rule knows it."},
    {"ingest", "[FILE|DIR|-]", 0, 1, cmd_ingest, "hands in bounces and complaints, as mail",
     "For operators. FILE is one mail or an mbox; DIR a Maildir, whose mails go from new/ to cur/ "
     "when the daemon has read them, or a folder of mails; - or nothing is standard input, so that "
     "a pipe of a mail server will do. What is no report or complaint, auto-replies too, changes "
     "nothing. A report counts when it names a mail of ours: by the bounce address that it was "
     "sent to, by its envelope id, or by its Message-ID. The same one twice counts once."},
    {"completion", "bash|zsh", 1, 1, cmd_completion, "prints shell completion",
     "For bash: eval \"$(mailtide completion bash)\"."},
    {"help", "[COMMAND]", 0, 1, cmd_help, "this, or about one command", NULL},
    {"version", "", 0, 0, cmd_version, "prints the version", NULL},
};

const struct cli_option cli_options[] = {
    {NULL, 's', "socket", "SOCKET", "the daemon's status socket"},
    {NULL, 'c', "config", "FILE", "the configuration; its status.socket is asked"},
    {NULL, 0, "json", NULL, "the daemon's answer as it is, for programs"},
    {NULL, 'h', "help", NULL, "about the command"},

    {"queue", 'r', "recipient", "ADDRESS", "of this recipient only"},
    {"queue", 'd', "domain", "DOMAIN", "of this recipient domain only"},
    {"queue", 'S', "stream", "STREAM", "of this stream only"},
    {"queue", 'n', "most", "N", "at most so many (100)"},

    {"limits", 'l', "learned", NULL, "those that replies have taught"},
    {"limits", 'w', "window", "WINDOW", "of a pinned number: \"day\" (not given), \"hour\", "
                                        "\"rolling 1h\" ..."},
    {"limits", 'z', "zone", "ZONE", "in which its days turn over (UTC)"},

    {"events", 'a', "after", "CURSOR", "behind this one; \"newest\" skips what is there"},
    {"events", 'f', "follow", NULL, "goes on as they come (without --after: the new ones)"},
    {"events", 't', "types", "TYPE,TYPE", "of these types only, as \"notification.bounced\" or "
                                          "\"recipient.*\""},
    {"events", 0, "application", "NAME", "as this application sees them"},
    {"events", 'n', "most", "N", "at most so many at once (100)"},
    {"events", 'd', "dead", NULL, "those that a webhook did not take and that were given up"},

    {"suppress", 'd', "domain", "DOMAIN", "list, export: of this recipient domain only"},
    {"suppress", 0, "cause", "CAUSE", "manual, invalid, disabled, full, complaint, unsubscribed or "
                                      "refused: of the list those alone; of what is added (manual)"},
    {"suppress", 'a', "all", NULL, "list, export: those that are over too"},
    {"suppress", 'n', "most", "N", "list: at most so many (100)"},
    {"suppress", 'e', "expires", "WHEN", "add: \"30d\" from now, or an RFC 3339 time; not given: "
                                         "never"},
    {"suppress", 0, "scope", "SCOPE", "add, remove: all mail (not given), bulk, stream:NAME or "
                                      "sender:ADDRESS"},
    {"suppress", 0, "evidence", "TEXT", "add: what was said"},
    {"suppress", 0, "dry-run", NULL, "sync: only tell what would be done"},
    {"suppress", 0, "account", "NAME", "sync: this account only"},
    {"suppress", 0, "csv", NULL, "export: as CSV, which it is anyway"},
    {"suppress", 'f', "format", "FORMAT", "export: csv (not given) or ses"},

    {"why", 'n', "most", "N", "at most so many of the newest decisions (1000)"},
    {"why", 'f', "full", NULL, "every decision, alike ones too"},

    {"verify", 'C', "column", "NAME|N", "a list's column (or JSON member) with the address; "
                                        "not given: found by its name"},
    {"verify", 'f', "format", "FORMAT", "of the output: \"csv\" (not given) or \"ndjson\""},
    {"verify", 'o', "output", "FILE", "a list's output; not given: standard output"},
    {"verify", 'r', "resume", "FILE", "the same, going on behind what an earlier run has written"},

    {"send", 't', "stdin", NULL, "the whole message stands on standard input"},
    {"send", 'f', "from", "ADDRESS", "sender; with -t in place of From"},
    {"send", 0, "to", "ADDRESS", "recipient, or several divided by commas; with -t in place of "
                                 "To, Cc and Bcc"},
    {"send", 0, "subject", "TEXT", "subject"},
    {"send", 0, "text", "TEXT", "the text; not given: standard input"},
    {"send", 'S', "stream", "STREAM", "stream; not given: the application's"},
    {"send", 0, "thread", "NAME", "what belongs together in a digest"},
    {"send", 0, "collapse-key", "KEY", "of the same one, what still waits is taken back"},
    {"send", 'k', "key", "KEY", "the same key again is the same notification, sent once"},
    {"send", 0, "deadline", "WHEN", "\"2h\" from now, or an RFC 3339 time"},
    {"send", 0, "application", "NAME", "in the name of this application"},

    {"check-config", 'n', "non-defaults", NULL, "prints what differs from the defaults"},
    {"check-config", 0, "print-default", NULL, "prints a file of all keys with their defaults"},
    {"check-config", 0, "print-templates", NULL, "prints the built-in digest templates"},

    {"simulate", 't', "trace", "FILE", "the log; not given: standard input"},
    {"simulate", 0, "format", "FORMAT", "of the log: any, table, postfix or events (any: by its "
                                        "looks)"},
    {"simulate", 0, "log-zone", "ZONE", "of times in the log that name none (UTC)"},
    {"simulate", 'z', "zone", "ZONE", "in which days turn over: an IANA zone, or +8 (UTC)"},
    {"simulate", 'q', "quota", "N,N", "mails a mailbox and window (5,10,20)"},
    {"simulate", 0, "window", "WINDOW", "hour, day, month, or a time such as 24h: rolling (day)"},
    {"simulate", 0, "hidden-limit", "N,N", "what a mailbox really takes and the planner has to learn from refusals, each for --hidden-days (no such limit)"},
    {"simulate", 0, "hidden-days", "N", "days that each of --hidden-limit holds; after the last comes the first again (30)"},
    {"simulate", 0, "site-quota", "N,N", "mails a day of all mailboxes together, as an ESP's; of "
                                         "several accounts the next one takes over (no limit)"},
    {"simulate", 0, "split", NULL, "each account has its own part of the recipients instead"},
    {"simulate", 0, "provider-quota", "N", "mails a day to all mailboxes of one provider (no limit)"},
    {"simulate", 0, "provider-percent", "N", "so many of a hundred mailboxes are that provider's (100)"},
    {"simulate", 0, "shared-window", "WINDOW", "the window of --site-quota and --provider-quota, as --window (day)"},
    {"simulate", 0, "no-price", NULL, "what many share has no price: to compare"},
    {"simulate", 'p', "policy", "NAME,NAME", "quiet, fluid, even, at-once, hourly, optimum, all "
                                             "(all; with --json quiet)"},
    {"simulate", 'w', "warmup-days", "N", "so many days to learn from, not scored (60)"},
    {"simulate", 0, "reserve", "N", "mails kept for urgent ones (none for quiet, which knows "
                                    "their price; else 1)"},
    {"simulate", 0, "single", "NAME,NAME", "direct, watched: they leave one by one, in no digest"},
    {"simulate", 0, "hold-max", "TIME", "no digest waits longer while there is room, as \"4h\""},
    {"simulate", 0, "margin", "TIME", "around a reset, as planner.margin (0s)"},
    {"simulate", 0, "spread", "TIME", "after a reset, as planner.spread (0s)"},
    {"simulate", 0, "direct-weight", "N", "direct mail weighs so many times watched mail (1)"},
    {"simulate", 0, "html", "FILE", "writes a report with plots"},

    {"forecast", 0, "provider", "NAME", "all recipients whose mailboxes this provider runs"},
    {"forecast", 'a', "account", "NAME", "all mail through this account"},

    {"learn", 0, "format", "FORMAT", "of the log: any, table, postfix or events (any: by its looks)"},
    {"learn", 0, "log-zone", "ZONE", "of times in the log that name none (UTC)"},

    {"check-sender", 'w', "watched", NULL, "the daemon's last reports of the senders in use"},
    {"check-sender", 'a', "account", "NAME", "sent through this account, or ESP profile"},
    {"check-sender", 'k', "selector", "NAME", "DKIM selectors, divided by commas"},
    {"check-sender", 'm', "message", "FILE", "a message as it arrived (- is standard input): its "
                                             "signatures are checked"},
    {"check-sender", 'i', "ip", "ADDRESS", "your own sending addresses, divided by commas"},
    {"check-sender", 'f', "mail-from", "DOMAIN", "of the envelope sender, where it is another"},
    {"check-sender", 'b', "bulk", NULL, "as a bulk sender: one-click unsubscribe is wanted too"},
    {"check-sender", 0, "no-lists", NULL, "asks no block lists"},
    {"check-sender", 0, "psl", NULL, "DMARC by public suffixes (RFC 7489), not by the tree walk"},

    {"explain", 'm', "message", "FILE", "a whole mail that came back, or an mbox of them (- is standard input)"},
    {"explain", 'p', "provider", "NAME", "who said it: a provider of schedules/, or its host"},

    {"help", 0, "roff", "LIST", "a list of the manual: \"commands\", \"exits\" or \"keys\""},
};
/* clang-format on */

const struct cli_exit_text cli_exits[] = {
    {CLI_OK, "done, or the answer is yes"},
    {CLI_NO, "it failed, or the answer is no"},
    {CLI_USAGE, "the command line is wrong"},
    {CLI_UNREACHABLE, "no daemon answers at the socket"},
    {CLI_NOT_FOUND, "there is no such recipient or notification, or nothing of it is pending"},
    {CLI_NOT_PERMITTED, "not permitted: the socket, or an operation that is for operators"},
};

const size_t cli_command_count = TIDE_COUNT(cli_commands);
const size_t cli_option_count = TIDE_COUNT(cli_options);
const size_t cli_exit_count = TIDE_COUNT(cli_exits);
