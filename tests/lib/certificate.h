/* certificate.h - self-signed certificates made while a test runs, in files of a folder of its own.
 *
 * Owns      the folder, removed with its files by certificate_remove().
 */
#ifndef TESTS_LIB_CERTIFICATE_H
#define TESTS_LIB_CERTIFICATE_H

struct certificate {
    char dir[64], cert_file[96], key_file[96];
};

/* For DNS name `name` and IP address 127.0.0.1, valid for a day. Fails the test when it cannot. */
void certificate_make(struct certificate *c, const char *name);
void certificate_remove(const struct certificate *c);

#endif
