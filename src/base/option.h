/*
 * One row of the table of options (config_table.c): its name, type, range and help, and what follows from them alone:
 * reading a value from text into struct config, printing it, and finding the row that a wrong name meant. Where the
 * text came from is the business of option_reader.h.
 */
#pragma once
#include "base/config.h"

enum option_type {
    OPTION_STRING,       /* const char * */
    OPTION_CHOICE,       /* const char *, one of `choices` */
    OPTION_LIST,         /* struct config_list: words between commas */
    OPTION_ITEMS,        /* struct config_list: whole values, which may have commas; between newlines */
    OPTION_FLAG,         /* bool; on the command line the name alone says yes */
    OPTION_INTEGER,      /* int64_t, as the rest */
    OPTION_BYTES,        /* suffix K, M */
    OPTION_SECONDS,      /* suffix s, m, h, d; seconds without one */
    OPTION_MILLISECONDS, /* suffix ms, s, m, h; seconds without one */
};

struct option {
    const char *name;               /* of the flag and in the file; BANTER_NAME in the environment */
    const char *value;              /* what help calls the value */
    const char *group;              /* heading in the help; rows of a group stand together */
    const char *help;               /* without a full stop */
    const char *initial;            /* default, as a user would write it, or NULL */
    const char *shown;              /* what help says of the default where `initial` does not tell, or NULL */
    const char *choices;            /* "one, two" */
    bool (*fits)(const char *item); /* further check of each string, or NULL; `form` then says what is right */
    const char *form;
    int64_t min, max;  /* numbers only */
    size_t offset;     /* of the field in struct config */
    unsigned programs; /* mask of enum config_program */
    enum option_type type;
    bool is_of_process; /* of one process: cannot stand in a file */
    bool is_secret;     /* never printed; may also be read from a file: --NAME-file, BANTER_NAME_FILE */
};

/* Room for any sentence or text below. */
enum { OPTION_TEXT_BYTES = 512 };

/*
 * Reads `text` into the option's field of `config`; a list is appended to. 0, or -EINVAL or -ENOMEM with the sentence
 * `why`, which says what is wrong and what is right, and never a secret; the field is then as it was. Strings are
 * copied.
 */
int option_parse(const struct option *option, struct config *config, const char *text,
                 char why[OPTION_TEXT_BYTES]) MUST_CHECK;

/* Makes a string NULL and a list empty. */
void option_clear(const struct option *option, struct config *config);

/* A string that is not NULL, a list that is not empty, a number that is not below its range, any flag. */
bool option_is_set(const struct option *option, const struct config *config);

/* Prints the field, which is set, as a user would write it; `separator` stands between the items of a list. */
void option_print(const struct option *option, const struct config *config, const char *separator, FILE *out);

/* The number in the field; and a number in the shortest way to write it: 16384 bytes are 16K. */
int64_t option_number(const struct option *option, const struct config *config);
void option_write_number(const struct option *option, int64_t number, char text[OPTION_TEXT_BYTES]);

/* Writes what values are right: "1..64K", "one, two", or "" where any text will do. */
void option_allowed(const struct option *option, char text[OPTION_TEXT_BYTES]);

/* Writes `value` in double quotes, at most 60 bytes of it. */
void option_quote(const char *value, char text[OPTION_TEXT_BYTES]);

/* The row of this name, or NULL. */
const struct option *option_find(const struct option *table, size_t count, const char *name);

/* The name of a row for `program` that is nearest to the mistyped `name`, or NULL if none is near. */
const char *option_suggest(const struct option *table, size_t count, enum config_program program, const char *name);
