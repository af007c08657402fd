/* view_forecast.h - what is to come, told and asked: for operators and applications alike.
 *
 *   GET /v1/forecast?recipient=|provider=|account=
 *       {"now","recipient"|"provider"|"account","recipients","today","pending","until","expected",
 *        "median","bands":[{"percent":50,"low","high"},...],
 *        "hours":[{"at","expected","total","median","bands":[...],"chance"},...],
 *        "limits":[{"name","text","subject","count","used","pending","free","resets_at","chance",
 *                   "at","digests_lengthen","share","lengthen_until"},...]}
 *       All counts are notifications, as if each left as a mail of its own. `chance` is that of
 *       more than there is room for, `at` when, if so (as likely before as after).
 *       `digests_lengthen`: a limit that many share is scarce, and all digests grow before it is
 *       full; until then `share` of what is to come can have a mail (0: the rest is for urgent
 *       mail).
 *   PUT /v1/recipients/ADDRESS/expected   {"count":40,"until":"2026-03-02T18:00:00Z"}
 *   PUT /v1/expected                      {"times":3,"until":...}: everybody, times the usual
 *       Without `until` for a day; null or 0 takes it back. 200 {"expected":true}
 *
 * Owns      nothing.
 * Threads   loop thread only.
 */
#ifndef IO_STATUS_VIEW_FORECAST_H
#define IO_STATUS_VIEW_FORECAST_H

#include "io/status/views.h"

/* Answers, now or later, whatever stands at these paths; false: it is another path. */
bool view_forecast(const struct views *v,
                   struct http_request *req,
                   bool may_operate,
                   struct text by);

#endif
