/* forecast: what is still to come for a recipient, an account or a provider, as a fan by hour. */
#include "base/macros.h"
#include "cmd/mailtide/ask.h"

#include <math.h>
#include <time.h>

#define FAN_COLUMNS  48
#define LABEL_COLUMN 14

static double number(const struct json *v, const char *name)
{
    double x = 0;
    return json_number(json_member(v, name), &x) ? x : 0;
}

static void band(const struct json *v, int64_t percent, int64_t *ret_low, int64_t *ret_high)
{
    const struct json *bands = json_member(v, "bands");
    *ret_low = *ret_high = 0;
    for (size_t i = 0; i < json_count(bands); i++) {
        const struct json *b = json_element(bands, i);
        if (ask_int(b, "percent") != percent)
            continue;
        *ret_low = ask_int(b, "low");
        *ret_high = ask_int(b, "high");
    }
}

/* One line of the fan: blanks, then the bands of 99, 90 and 50 % about the median. */
static void put_fan(struct cli *cli, const struct json *hour, double scale)
{
    static const struct {
        int percent;
        char mark;
    } marks[] = {{99, '.'}, {90, '-'}, {50, '='}};
    char line[FAN_COLUMNS + 2];
    memset(line, ' ', sizeof line);
    for (size_t m = 0; m < TIDE_COUNT(marks); m++) {
        int64_t low, high;
        band(hour, marks[m].percent, &low, &high);
        for (int c = (int)((double)low * scale); c <= (int)((double)high * scale); c++)
            if (c >= 0 && c <= FAN_COLUMNS)
                line[c] = marks[m].mark;
    }
    int median = (int)((double)ask_int(hour, "median") * scale);
    line[TIDE_MIN(median, FAN_COLUMNS)] = '|';
    buf_addf(&cli->out, "%.*s", FAN_COLUMNS + 1, line);
}

static void put_hours(struct cli *cli, const struct json *doc)
{
    const struct json *hours = json_member(doc, "hours");
    size_t n = json_count(hours);
    int64_t low, most = 1;
    if (n == 0)
        return;
    band(json_element(hours, n - 1), 99, &low, &most);
    double scale = (double)FAN_COLUMNS / (double)TIDE_MAX(most, 1);
    buf_addf(&cli->out, "\n  until        0%*lld   90 %%\n", FAN_COLUMNS, (long long)most);
    for (size_t i = 0; i < n; i++) {
        const struct json *hour = json_element(hours, i);
        char when[SHOW_TIME_BYTES];
        int64_t from, to;
        tide_wall_ms at = ask_time(hour, "at");
        struct tm local;
        time_t s = (time_t)(at / TIME_SECOND_MS);
        localtime_r(&s, &local);
        strftime(when, sizeof when, at > cli->show.now + TIME_DAY_MS ? "%d %b %H:%M" : "%H:%M",
                 &local);
        band(hour, 90, &from, &to);
        buf_addf(&cli->out, "  %-*s", LABEL_COLUMN - 2, when);
        put_fan(cli, hour, scale);
        buf_addf(&cli->out, "  %lld to %lld\n", (long long)from, (long long)to);
    }
    buf_adds(&cli->out, "  (| median, = half of all cases, - nine of ten, . 99 of 100)\n");
}

/* What the limit does to digests now. */
static void put_price(struct cli *cli, const struct json *l)
{
    char when[SHOW_TIME_BYTES];
    bool lengthen = false;
    double share = number(l, "share");
    if (!json_bool(json_member(l, "digests_lengthen"), &lengthen) || !lengthen)
        return;
    show_when(ask_time(l, "lengthen_until"), cli->show.now, when);
    if (share <= 0)
        buf_addf(&cli->out,
                 "  Digests wait because of it until %s: what is left is kept for urgent mail.\n",
                 when);
    else
        buf_addf(&cli->out,
                 "  Digests lengthen because of it: until %s there is one mail for every %.1f "
                 "notifications.\n",
                 when, 1 / share);
}

static void put_limit(struct cli *cli, const struct json *l)
{
    char when[SHOW_TIME_BYTES], reset[SHOW_TIME_BYTES];
    struct text name = ask_text(l, "name"), words = ask_text(l, "text");
    double chance = number(l, "chance");
    buf_addf(&cli->out, "\n  " TEXT_FMT " (" TEXT_FMT "): %lld used", TEXT_ARG(name),
             TEXT_ARG(words), (long long)ask_int(l, "used"));
    if (ask_int(l, "pending"))
        buf_addf(&cli->out, ", %lld waiting", (long long)ask_int(l, "pending"));
    if (ask_time(l, "resets_at"))
        buf_addf(&cli->out, ", starts anew %s",
                 show_when(ask_time(l, "resets_at"), cli->show.now, reset));
    buf_adds(&cli->out, "\n  ");
    if (chance < 0.005)
        buf_adds(&cli->out, "There is room for all of it.\n");
    else if (chance > 0.995)
        buf_addf(&cli->out, "It will not hold them all: full at about %s.\n",
                 show_when(ask_time(l, "at"), cli->show.now, when));
    else
        buf_addf(&cli->out,
                 "The chance of more than it takes is %.0f %%; if so, full at about %s.\n",
                 chance * 100, show_when(ask_time(l, "at"), cli->show.now, when));
    put_price(cli, l);
}

static void put_forecast(struct cli *cli, const struct ask *a)
{
    const char *provider = cli_option_value(cli, "provider"),
               *account = cli_option_value(cli, "account");
    const char *whose = provider ? provider : account ? account : cli->argv[0];
    const struct json *doc = a->doc, *limits = json_member(doc, "limits");
    char when[SHOW_TIME_BYTES];
    int64_t low, high;
    band(doc, 90, &low, &high);
    show_styled(&cli->show, STYLE_BOLD, text_of(whose));
    buf_addf(&cli->out, ": %.1f more expected until %s\n", number(doc, "expected"),
             show_when(ask_time(doc, "until"), cli->show.now, when));
    buf_addf(&cli->out, "  in nine of ten cases %lld to %lld", (long long)low, (long long)high);
    band(doc, 50, &low, &high);
    buf_addf(&cli->out, ", in half of them %lld to %lld", (long long)low, (long long)high);
    band(doc, 99, &low, &high);
    buf_addf(&cli->out, ", hardly ever over %lld\n", (long long)high);
    if (json_member(doc, "today"))
        buf_addf(&cli->out, "  %lld came today; %lld wait\n", (long long)ask_int(doc, "today"),
                 (long long)ask_int(doc, "pending"));
    else
        buf_addf(&cli->out, "  summed over %lld recipients\n",
                 (long long)ask_int(doc, "recipients"));
    for (size_t i = 0; i < json_count(limits); i++)
        put_limit(cli, json_element(limits, i));
    if (json_count(limits) == 0)
        buf_adds(&cli->out, "\n  No limit is known that would not hold it.\n");
    put_hours(cli, doc);
}

int cmd_forecast(struct cli *cli)
{
    const char *provider = cli_option_value(cli, "provider"),
               *account = cli_option_value(cli, "account");
    const char *address = cli->argc ? cli->argv[0] : NULL;
    if ((address != NULL) + (provider != NULL) + (account != NULL) != 1)
        return cli_fail(cli, CLI_USAGE, "want ADDRESS, --provider NAME or --account NAME");
    int code = address ? ask_check_address(cli, address) : CLI_OK;
    if (code != CLI_OK)
        return code;
    struct buf path = {0};
    buf_adds(&path, "/v1/forecast");
    ask_param(&path, "recipient", address);
    ask_param(&path, "provider", provider);
    ask_param(&path, "account", account);
    return ask_show(cli, &path, put_forecast);
}
