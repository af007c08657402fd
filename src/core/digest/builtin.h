/* builtin.h - the built-in templates, files of templates/ that are linked in. */
#ifndef CORE_DIGEST_BUILTIN_H
#define CORE_DIGEST_BUILTIN_H

extern const char builtin_subject[], builtin_subject_end[];
extern const char builtin_text[], builtin_text_end[];
extern const char builtin_html[], builtin_html_end[];

#endif
