/* keys.h - the one table of configuration keys: path, type, unit, default, range, help.
 *
 * From it come the parser (doc.c), the commented default file and the dump (print.c), and the man
 * page. Keys of profile files are rows of two tables of the same form.
 *
 * Owns      nothing; all is static.
 * Threads   any, read only.
 */
#ifndef CORE_CONFIG_KEYS_H
#define CORE_CONFIG_KEYS_H

#include "core/config/config.h"

enum key_type {
    KEY_BOOL,     /* true, false */
    KEY_INT,      /* into an int */
    KEY_COUNT,    /* into an int64_t */
    KEY_REAL,     /* into a double */
    KEY_STRING,   /* into a char *; one of `words` where there are some */
    KEY_DURATION, /* "10min", into an int64_t of milliseconds */
    KEY_SIZE,     /* "25M", into an int64_t of bytes */
    KEY_WORD,     /* one of `words`, its place among them into an enum */
    KEY_LIST,     /* ["a", "b"], into a char ** and a size_t */
    KEY_SECRET,   /* into a struct secret */
    KEY_MODE,     /* "0660", into an int */
    KEY_CHAR,     /* one character, into a char */
    KEY_NAMED,    /* a group of groups, each under a name of the operator's choice */
};

struct key {
    const char *path; /* "smtp.message_max"; "accounts.*.host": of each account */
    enum key_type type;
    const char *unit;   /* of a plain number, for people; NULL: none */
    const char *preset; /* the default as it is written, lists separated by blanks; NULL: not set */
    int64_t min, max;   /* numbers; milliseconds; bytes; elements of a list */
    const char *const *words; /* ends with NULL; NULL: any */
    size_t at, count_at;      /* where it goes in its struct */
    bool sourced;             /* profiles: a group of value, source, reference, date, confidence */
    const char *help;
};

/* Of the main file and conf.d. Rows of "streams.*", "accounts.*", "applications.*" and "limits.*"
 * go into the structs below, the others into struct config. "limits.*" stands for the limits of an
 * account, a provider or a profile. */
extern const struct key config_keys[];
extern const size_t config_key_count;

/* Of the files in schedules/providers and schedules/accounts: paths begin with "provider." and
 * "account.", and go into struct profile. "source.*": of each sourced number. */
extern const struct key profile_keys[];
extern const size_t profile_key_count;

/* Structs of the configuration with the names that they are written with. */
struct stream_form {
    struct config_stream s;
};

struct account_form {
    struct config_account a;
    char *profile;
};

struct application_form {
    struct config_application a;
    char *stream;
    char **accounts;
    size_t account_count;
};

struct limit_form {
    struct limit l;
    char *window; /* "day", "rolling 24h" */
};

struct source_form {
    enum limit_source source;
    enum limit_confidence confidence;
    char *reference, *date;
};

/* The named groups that stand when no file has them, as a file's text. */
extern const char config_builtin[];

const char *key_type_name(enum key_type type); /* "true or false", "a duration": what is wanted */

/* "5min", "25M": as it would be written. Returns out, which holds KEY_TEXT_BYTES. */
#define KEY_TEXT_BYTES 32
const char *key_duration_text(int64_t ms, char *out);
const char *key_size_text(int64_t bytes, char *out);

#endif
