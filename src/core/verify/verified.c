#include "core/verify/verified.h"

#include "core/proto/csv.h"
#include "core/proto/json_write.h"
#include "core/verify/recipient.h"

#define HEAD                                                                                  \
    "address,verdict,normal,provider,provider_certain,gateway,hints,meant,suppressed,reason," \
    "evidence"

void verified_put_head(enum verified_form format, struct buf *out)
{
    if (format == VERIFIED_CSV)
        buf_adds(out, HEAD "\n");
}

/* Evidence has a line for each record seen; a row has to stay one line. */
static void put_evidence(struct buf *out, struct text evidence)
{
    struct buf one = {0};
    struct text line;
    for (const char *between = ""; text_split(&evidence, '\n', &line); between = " | ") {
        buf_adds(&one, between);
        buf_add_text(&one, line);
    }
    csv_put(out, buf_text(&one));
    buf_fini(&one);
}

static void put_csv(const struct verified *row, struct buf *out)
{
    struct buf hints = {0};
    recipient_hints_names(row->hints, &hints);
    struct text certain = row->provider.n == 0   ? TEXT("")
                          : row->provider_likely ? TEXT("no")
                                                 : TEXT("yes");
    const struct text fields[] = {row->given,      row->verdict, row->address,     row->provider,
                                  certain,         row->gateway, buf_text(&hints), row->meant,
                                  row->suppressed, row->reason};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        csv_put(out, fields[i]);
        buf_addc(out, ',');
    }
    put_evidence(out, row->evidence);
    buf_addc(out, '\n');
    buf_fini(&hints);
}

static void put_json(const struct verified *row, struct buf *out)
{
    struct json_writer w;
    struct text evidence = row->evidence, line;
    jw_init(&w, out);
    jw_object(&w, NULL);
    jw_text(&w, "given", row->given);
    jw_text_or_null(&w, "address", row->address);
    jw_text(&w, "verdict", row->verdict);
    jw_text_or_null(&w, "provider", row->provider);
    if (row->provider.n)
        jw_bool(&w, "provider_certain", !row->provider_likely);
    jw_text_or_null(&w, "gateway", row->gateway);
    jw_array(&w, "hints");
    for (unsigned hint = 1; hint < 1u << HINT_COUNT; hint <<= 1)
        if (row->hints & hint)
            jw_str(&w, NULL, recipient_hint_name((enum recipient_hint)hint));
    jw_end(&w);
    jw_text_or_null(&w, "meant", row->meant);
    if (row->suppression_known)
        jw_text_or_null(&w, "suppressed", row->suppressed);
    jw_text_or_null(&w, "reason", row->reason);
    jw_array(&w, "evidence");
    while (evidence.n && text_split(&evidence, '\n', &line))
        jw_text(&w, NULL, line);
    jw_end(&w);
    jw_end(&w);
    buf_addc(out, '\n');
}

void verified_put_row(enum verified_form format, const struct verified *row, struct buf *out)
{
    if (format == VERIFIED_CSV)
        put_csv(row, out);
    else
        put_json(row, out);
}
