#include "core/digest/builtin.h"

/* Paths are from the top folder, where make runs; the Makefile names the files as prerequisites. */
#define INCLUDED(symbol, file)                                            \
    __asm__(".pushsection .rodata\n"                                      \
            ".global " #symbol "\n.global " #symbol "_end\n" #symbol      \
            ":\n.incbin \"src/core/digest/templates/" file "\"\n" #symbol \
            "_end:\n.byte 0\n.popsection\n")

INCLUDED(builtin_subject, "subject.txt");
INCLUDED(builtin_text, "digest.txt");
INCLUDED(builtin_html, "digest.html");
