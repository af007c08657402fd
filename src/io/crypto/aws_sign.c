#include "io/crypto/aws_sign.h"

#include "io/crypto/sigv4_hash.h"

#include <stdio.h>

struct signing {
    const struct aws_request *request;
    const char *date;
};

static struct text header_of(void *arg, const char *name)
{
    const struct signing *s = arg;
    if (strcmp(name, "host") == 0)
        return text_of(s->request->host);
    if (strcmp(name, "x-amz-date") == 0)
        return text_of(s->date);
    return s->request->content_type; /* no other is signed */
}

enum tide_err aws_sign(const struct aws_request *r,
                       struct aws_signature *ret,
                       struct tide_error *err)
{
    struct civil t = civil_of_wall(r->now, 0);
    struct signing signing = {r, ret->date};
    const char *names = r->content_type.p ? "content-type;host;x-amz-date" : "host;x-amz-date";
    char signature[SIGV4_HEX_BYTES];
    size_t query = text_find(r->path, '?');
    snprintf(ret->date, sizeof ret->date, "%04d%02d%02dT%02d%02d%02dZ", t.year % 10000,
             t.month % 100, t.day % 100, t.hour % 100, t.minute % 100, t.second % 100);
    const struct sigv4_request request = {.method = text_of(r->method),
                                          .path = text_cut(r->path, 0, query),
                                          .query = text_cut(r->path, query + 1, SIZE_MAX),
                                          .body = r->body,
                                          .amz_date = text_of(ret->date),
                                          .header = header_of,
                                          .arg = &signing};
    const struct sigv4_claim claim = {.access_key = text_of(r->key_id),
                                      .date = text_cut(text_of(ret->date), 0, 8),
                                      .region = text_of(r->region),
                                      .service = TEXT("ses"),
                                      .signed_headers = text_of(names)};
    enum tide_err rc =
        sigv4_sign(&sigv4_hash_openssl, &request, &claim, text_of(r->secret), signature, err);
    if (rc == TIDE_OK)
        snprintf(ret->authorization, sizeof ret->authorization,
                 "AWS4-HMAC-SHA256 Credential=%s/" TEXT_FMT "/%s/ses/aws4_request, "
                 "SignedHeaders=%s, Signature=%s",
                 r->key_id, TEXT_ARG(claim.date), r->region, names, signature);
    return rc;
}
