/* template.h - mail whose text is a template stored at an ESP.
 *
 * It came by that ESP's API and can leave by no other: what stands in the store is a message with
 * the field below, whose value names the API, and whose first part is a JSON object of that API's
 * own fields. The field cannot come from outside: intake takes all X-Mailtide-* fields out.
 *
 * Threads any.
 */
#ifndef CORE_RECORD_TEMPLATE_H
#define CORE_RECORD_TEMPLATE_H

#define TEMPLATE_FIELD "X-Mailtide-Template"

#endif
