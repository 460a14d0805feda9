/*
 * Commands as Redis reads them (RESP arrays of bulk strings), written by hand straight into the output:
 * redisFormatCommandArgv would build each one in a string of its own first, to be copied and freed.
 */
#pragma once
#include "base/args.h"
#include "base/buf.h"
#include "base/compiler.h"

/* Appends one command. 0; -ENOBUFS if it might need more than `room` bytes or the buffer's cap; -ENOMEM. */
int redis_command_append(struct buf *out, const struct args *args, size_t room) MUST_CHECK;
