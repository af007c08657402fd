/* DMARC records as RFC 9989 4.7 and 4.8 have them: odd spacing, case, order, twice, unknown, wrong.
 */
#include "core/verify/dmarc_record.h"
#include "lib/check.h"

#define NO DMARC_UNSET

static const struct {
    const char *record;
    bool usable, faulty;
    enum dmarc_policy p, sp, np;
    const char *flags; /* psd, t, adkim, aspf: "u" or so, "t", "D", "S" */
} cases[] = {
    {"v=DMARC1; p=none", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1;p=none", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none;", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; ", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1\t;\tp\t=\tnone\t;\t", true, false, DMARC_NONE, NO, NO, "u"},
    {"v = DMARC1 ; p = reject", true, false, DMARC_REJECT, NO, NO, "u"},
    {"V=DMARC1; P=Reject; SP=QUARANTINE", true, false, DMARC_REJECT, DMARC_QUARANTINE, NO, "u"},
    {"v=DMARC1; sp=none; p=reject", true, false, DMARC_REJECT, DMARC_NONE, NO, "u"},
    {"v=DMARC1; p=none; np=reject; psd=y", true, false, DMARC_NONE, NO, DMARC_REJECT, "y"},
    {"v=DMARC1; p=none; psd=N; t=Y", true, false, DMARC_NONE, NO, NO, "nt"},
    {"v=DMARC1; p=none; psd=u; t=n", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; adkim=s; aspf=S", true, false, DMARC_NONE, NO, NO, "uDS"},
    {"v=DMARC1; p=none; adkim=r; aspf=r; fo=0:1:d:s", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; fo=0:1:D : s", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; unknown=thing; x_y=1", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; pct=50; rf=afrf; ri=86400", true, false, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; pct=many", true, false, DMARC_NONE, NO, NO, "u"},
    /* wrong values: ignored but for policies, and worth a fault */
    {"v=DMARC1; p=none; adkim=strict", true, true, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; fo=2", true, true, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; fo=0:", true, true, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; t=yes", true, true, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; psd=x", true, true, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none; rua=postmaster@example.org", true, true, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; p=none;; sp=none", true, true, DMARC_NONE, DMARC_NONE, NO, "u"},
    {"v=DMARC1; p=none; word; sp=none", true, true, DMARC_NONE, DMARC_NONE, NO, "u"},
    {"v=DMARC1 p=none", false, true, NO, NO, NO, "u"},
    /* no valid policy: "none" where reports are wanted, else no record */
    {"v=DMARC1", false, true, NO, NO, NO, "u"},
    {"v=DMARC1;", false, true, NO, NO, NO, "u"},
    {"v=DMARC1; sp=reject", false, true, NO, DMARC_REJECT, NO, "u"},
    {"v=DMARC1; p=no", false, true, NO, NO, NO, "u"},
    {"v=DMARC1; p=none p=reject", false, true, NO, NO, NO, "u"},
    {"v=DMARC1; p=; rua=mailto:a@b.org", true, true, DMARC_NONE, DMARC_NONE, DMARC_NONE, "u"},
    {"v=DMARC1; rua=mailto:a@b.org", true, false, DMARC_NONE, DMARC_NONE, DMARC_NONE, "u"},
    {"v=DMARC1; p=reject; sp=no; rua=mailto:a@b.org", true, true, DMARC_NONE, DMARC_NONE,
     DMARC_NONE, "u"},
    {"v=DMARC1; p=bad; rua=nonsense", false, true, NO, NO, NO, "u"},
    {"v=DMARC1; p=none; rua=mailto:a@b.org!10m,mailto:c@d.org", true, false, DMARC_NONE, NO, NO,
     "u"},
    {"v=DMARC1; p=none; rua=mailto:a@b.org!many", true, true, DMARC_NONE, NO, NO, "u"},
    /* twice (RFC 6376 3.2) */
    {"v=DMARC1; p=none; p=reject", false, true, DMARC_REJECT, NO, NO, "u"},
    {"v=DMARC1; p=none; P=none", false, true, DMARC_NONE, NO, NO, "u"},
    {"v=DMARC1; v=DMARC1; p=none", false, true, DMARC_NONE, NO, NO, "u"},
    /* another version, or no DMARC record at all */
    {"v=DMARC2; p=none", false, true, NO, NO, NO, "u"},
    {"v=DMARC10; p=none", false, true, NO, NO, NO, "u"},
    {"v=DMARC; p=none", false, true, NO, NO, NO, "u"},
    {"v=dmarc1; p=none", false, true, NO, NO, NO, "u"},
    {"p=none; v=DMARC1", false, true, NO, NO, NO, "u"},
    {" v=DMARC1; p=none", false, true, NO, NO, NO, "u"},
    {"\"v=DMARC1; p=none\"", false, true, NO, NO, NO, "u"},
    {"v=spf1 -all", false, true, NO, NO, NO, "u"},
    {"", false, true, NO, NO, NO, "u"},
};

static void test_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(cases); i++) {
        struct dmarc_record r;
        char flags[8];
        dmarc_record_parse(text_of(cases[i].record), &r);
        snprintf(flags, sizeof flags, "%c%s%s%s", r.psd, r.testing ? "t" : "",
                 r.strict_dkim ? "D" : "", r.strict_spf ? "S" : "");
        const char *why = r.remark_count ? r.remarks[0].text : "no remark";
        T_EQ(r.usable, cases[i].usable, "%s: usable (%s)", cases[i].record, why);
        T_EQ(r.faulty, cases[i].faulty, "%s: faulty (%s)", cases[i].record, why);
        T_STR(flags, cases[i].flags, "%s", cases[i].record);
        if (!cases[i].usable && cases[i].p == NO)
            continue; /* nobody looks further */
        T_STR(dmarc_policy_name(r.p), dmarc_policy_name(cases[i].p), "%s: p", cases[i].record);
        T_STR(dmarc_policy_name(r.sp), dmarc_policy_name(cases[i].sp), "%s: sp", cases[i].record);
        T_STR(dmarc_policy_name(r.np), dmarc_policy_name(cases[i].np), "%s: np", cases[i].record);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
