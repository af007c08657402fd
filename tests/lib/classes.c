#include "lib/classes.h"

enum class_match class_matches(struct text label, enum reply_class got)
{
    if (text_eq(label, text_of(reply_class_name(got))))
        return CLASS_EXACT;
    if (text_eq(label, TEXT("recipient-filtered")))
        return got == CLASS_RECIPIENT                         ? CLASS_EXACT
               : got == CLASS_POLICY || got == CLASS_DISABLED ? CLASS_NEAR
                                                              : CLASS_WRONG;
    if (text_eq(label, TEXT("sender-rejected")))
        return got == CLASS_POLICY                            ? CLASS_EXACT
               : got == CLASS_AUTH || got == CLASS_REPUTATION ? CLASS_NEAR
                                                              : CLASS_WRONG;
    return CLASS_WRONG;
}
