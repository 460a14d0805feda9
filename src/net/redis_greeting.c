#include "net/redis_greeting.h"
#include "net/redis_command.h"
#include "net/redis_link.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix, *meaning;
} refusals[] = {
    {"WRONGPASS", "Redis refused the password"},
    {"ERR AUTH", "Redis refused the password"}, /* none is set */
    {"ERR invalid password", "Redis refused the password"},
    {"NOAUTH", "Redis wants a password"},
    {"NOPERM", "Redis does not let this user in"},
    {"LOADING", "Redis is not ready"},
    {"MASTERDOWN", "Redis is not ready"},
    {"ERR max number of clients", "Redis takes no more connections"},
    {"DENIED", "Redis refuses connections from other machines"},
    {"ERR DB index", "Redis refused the database number"},
};

static void describe_refusal(char *out, size_t size, const char *command, const char *error)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        if (strncmp(error, refusals[i].prefix, strlen(refusals[i].prefix)) == 0) {
            snprintf(out, size, "%s: %s", refusals[i].meaning, error);
            return;
        }
    }
    /* An error we do not know may repeat the command's arguments, and AUTH's are secret: its first word must do. */
    bool is_secret = strcmp(command, "AUTH") == 0;
    snprintf(out, size, "Redis refused %s: %.*s", command, is_secret ? (int)strcspn(error, " ") : INT_MAX, error);
}

static int greet_with(struct redis_greeting *greeting, const struct args *args, struct buf *out)
{
    assert(greeting->sent < (int)COUNT_OF(greeting->command));
    greeting->command[greeting->sent++] = args->value[0];
    return redis_command_append(out, args, SIZE_MAX);
}

int redis_greeting_start(struct redis_greeting *greeting, const struct redis_address *address, struct buf *out)
{
    struct args args;
    int error = 0;
    *greeting = (struct redis_greeting){0};
    if (address->user[0] || address->password[0]) {
        args_init(&args);
        args_add_str(&args, "AUTH");
        if (address->user[0])
            args_add_str(&args, address->user);
        args_add_str(&args, address->password);
        error = greet_with(greeting, &args, out);
    }
    if (!error && address->db > 0) {
        args_init(&args);
        args_add_str(&args, "SELECT");
        args_add_number(&args, address->db);
        error = greet_with(greeting, &args, out);
    }
    if (error)
        return error;
    args_init(&args);
    args_add_str(&args, "PING");
    return greet_with(greeting, &args, out);
}

int redis_greeting_take(struct redis_greeting *greeting, const struct redis_value *answer, char *why, size_t why_size)
{
    assert(greeting->answered < greeting->sent);
    const char *command = greeting->command[greeting->answered++];
    if (answer->type == REDIS_TYPE_ERROR) {
        describe_refusal(why, why_size, command, answer->str);
        return -EACCES;
    }
    if (answer->type != REDIS_TYPE_STATUS) {
        snprintf(why, why_size, "what answers at Redis's address is not Redis");
        return -EACCES;
    }
    return greeting->answered == greeting->sent;
}
