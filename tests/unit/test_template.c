#include "core/digest/template.h"
#include "lib/check.h"

#include <stdlib.h>

static const char *const names[] = {"title", "text", "empty", "items", "none", "name", "inner"};

static const struct template_field inner_fields[] = {{.name = "name", .text = {"deep", 4}}};
static const struct template_scope inners[] = {{inner_fields, 1}, {inner_fields, 1}};
static const struct template_field ann[] = {{.name = "name", .text = {"Ann", 3}},
                                            {.name = "inner", .entries = inners, .entry_count = 2}};
static const struct template_field bob[] = {{.name = "name", .text = {"<Bob>", 5}},
                                            {.name = "inner", .entries = inners}};
static const struct template_scope people[] = {{ann, 2}, {bob, 2}};
static const struct template_field top[] = {
    {.name = "title", .text = {"a<b> & \"c\" 'd'", 14}},
    {.name = "text", .text = {"one\ntwo", 7}},
    {.name = "empty", .text = {"", 0}},
    {.name = "items", .entries = people, .entry_count = 2},
    {.name = "none", .entries = people, .entry_count = 0},
};
static const struct template_scope scope = {top, TIDE_COUNT(top)};

static const struct {
    const char *source, *text, *html;
} renders[] = {
    {"", "", ""},
    {"plain } }} { text", "plain } }} { text", "plain } }} { text"},
    {"{{title}}", "a<b> & \"c\" 'd'", "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;"},
    {"{{ title }}", "a<b> & \"c\" 'd'", "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;"},
    {"  {{text}}.", "  one\n  two.", "  one<br>\ntwo."},
    {"x {{text}}.", "x one\ntwo.", "x one<br>\ntwo."},
    {"[{{empty}}]", "[]", "[]"},
    {"{{#text}}yes{{/text}}{{^text}}no{{/text}}", "yes", "yes"},
    {"{{#empty}}yes{{/empty}}{{^empty}}no{{/empty}}", "no", "no"},
    {"{{#none}}yes{{/none}}{{^none}}no{{/none}}", "no", "no"},
    {"{{#items}}{{name}},{{/items}}", "Ann,<Bob>,", "Ann,&lt;Bob&gt;,"},
    {"{{#items}}{{name}}{{#inner}}({{name}}{{empty}}){{/inner}};{{/items}}",
     "Ann(deep)(deep);<Bob>;", "Ann(deep)(deep);&lt;Bob&gt;;"},
    {"{{#items}}{{#text}}{{name}} {{/text}}{{/items}}", "Ann <Bob> ", "Ann &lt;Bob&gt; "},
    {"{{#items}}{{^inner}}{{name}}{{/inner}}{{/items}}", "<Bob>", "&lt;Bob&gt;"},
    {"a\n{{#text}}\nb\n{{/text}}\nc\n", "a\nb\nc\n", "a\nb\nc\n"},
    {"a\n  {{! remark }}  \nc", "a\nc", "a\nc"},
    {"{{#text}}\r\nb\r\n{{/text}}\r\n", "b\r\n", "b\r\n"},
    {"{{#text}}\n{{^empty}}\nx\n{{/empty}}\n{{/text}}", "x\n", "x\n"},
    {"a {{#text}}\nb{{/text}}\n", "a \nb\n", "a \nb\n"},
    {"{{!a\nb}}x", "x", "x"},
};

static void test_renders(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(renders); i++)
        for (int html = 0; html < 2; html++) {
            struct template *t;
            struct buf b = {0};
            struct tide_error err;
            T_OK(template_new(html ? TEMPLATE_HTML : TEMPLATE_TEXT, "x", text_of(renders[i].source),
                              names, TIDE_COUNT(names), &t, &err),
                 &err, "%s", renders[i].source);
            T_OK(template_render(t, &scope, &b, &err), &err, "%s", renders[i].source);
            T_STR(buf_str(&b), html ? renders[i].html : renders[i].text, "%s", renders[i].source);
            template_free(t);
            buf_fini(&b);
        }
}

static const struct {
    const char *source, *want;
} errors[] = {
    {"a\nb {{titel}}", "d/x:2: there is no field \"titel\"; did you mean \"title\"?"},
    {"{{zzzzzzzz}}", "d/x:1: there is no field \"zzzzzzzz\""},
    {"\n\n{{title", "d/x:3: \"{{\" without \"}}\""},
    {"a\n{{#items}}\nb", "d/x:2: section {{#items}} is never closed"},
    {"{{#items}}\n{{/none}}", "d/x:2: want {{/items}} for line 1, got {{/none}}"},
    {"{{#text}}\nx\n{{/text}}\n{{/text}}", "d/x:4: {{/text}} closes nothing"},
    {"{{{title}}}", "d/x:1: fields are always escaped: write {{name}}"},
    {"{{&title}}", "d/x:1: fields are always escaped: write {{name}}"},
    {"{{>file}}",
     "d/x:1: want {{name}}, {{#name}}, {{^name}}, {{/name}} or {{! remark }}, got {{>file}}"},
    {"{{}}", "d/x:1: want {{name}}, {{#name}}, {{^name}}, {{/name}} or {{! remark }}, got {{}}"},
    {"{{!\n\n}}\n{{nope}}", "d/x:4: there is no field \"nope\"; did you mean \"none\"?"},
    {"{{#text}}{{#text}}{{#text}}{{#text}}{{#text}}{{#text}}{{#text}}{{#text}}{{#text}}",
     "d/x:1: more than 8 sections in each other"},
    {"\xff", "d/x: the template is not UTF-8"},
};

static void test_errors_say_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIDE_COUNT(errors); i++) {
        struct template *t = NULL;
        struct tide_error err;
        T_EQ(template_new(TEMPLATE_TEXT, "d/x", text_of(errors[i].source), names, TIDE_COUNT(names),
                          &t, &err),
             TIDE_ESYNTAX, "%s", errors[i].source);
        T_TRUE(t == NULL, "%s", errors[i].source);
        T_STR(err.text, errors[i].want, "%s", errors[i].source);
    }
    struct template *t = NULL;
    struct tide_error err;
    char *big = calloc(1, TEMPLATE_BYTES_MAX + 1);
    T_EQ(template_new(TEMPLATE_TEXT, "x", (struct text){big, TEMPLATE_BYTES_MAX + 1}, names, 1, &t,
                      &err),
         TIDE_ELIMIT, "too large");
    free(big);
}

/* A list in itself multiplies without end, with output or without. */
static void test_output_and_steps_are_bounded(void **state)
{
    (void)state;
    static struct template_scope many[100];
    static const struct template_field list[] = {
        {.name = "items", .entries = many, .entry_count = 100}, {.name = "name", .text = {"x", 1}}};
    for (size_t i = 0; i < TIDE_COUNT(many); i++)
        many[i] = (struct template_scope){list, 2};
    static const char *const sources[] = {
        "{{#items}}{{#items}}{{#items}}{{#items}}{{#items}}{{/items}}{{/items}}{{/items}}{{/items}}"
        "{{/items}}",
        "{{#items}}{{#items}}{{#items}}{{#items}}{{name}}{{/items}}{{/items}}{{/items}}{{/items}}"};
    for (size_t i = 0; i < 2; i++) {
        struct template *t;
        struct buf b = {.max = 1000};
        struct tide_error err;
        T_OK(template_new(TEMPLATE_TEXT, "x", text_of(sources[i]), names, TIDE_COUNT(names), &t,
                          &err),
             &err, "%zu", i);
        T_EQ(template_render(t, &many[0], &b, &err), TIDE_ELIMIT, "%zu", i);
        T_TRUE(b.len <= 1000, "%zu", i);
        template_free(t);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renders),
        cmocka_unit_test(test_errors_say_where),
        cmocka_unit_test(test_output_and_steps_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
