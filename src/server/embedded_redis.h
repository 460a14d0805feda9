/*
 * A private redis-server for a banterd without --redis: a child process on a unix socket in the state directory,
 * append-only file on.
 *
 * It ends when its parent ends, however that happens (PR_SET_PDEATHSIG with SIGTERM, so that it writes its file); it is
 * started again if it dies. The directory is held by two locks: `banterd.lock` by this process, so that a second
 * banterd is refused at once, and `redis.lock`, inherited by the child, so that a successor waits until the last writer
 * of the files is gone.
 *
 * Belongs to the main thread: the kernel ties the death signal to the thread that forked.
 */
#pragma once
#include "base/compiler.h"
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>
#include <uv.h>

struct embedded_redis {
    uv_loop_t *loop;
    uv_signal_t on_child;
    uv_timer_t restart;
    pid_t pid; /* 0: not running */
    unsigned deaths;
    int lock_fd, redis_lock_fd;
    char *binary;
    char dir[512];
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char fsync[16];
};

/* Locks the directory (made if it is not there) and starts the child; returns when it serves. 0, or negative errno
 * with what happened and what to do in `error`. */
int embedded_redis_start(struct embedded_redis *redis, uv_loop_t *loop, const char *dir, const char *fsync, char *error,
                         size_t size) MUST_CHECK;

/* Ends the child and waits for it, so that all is on the disk. */
void embedded_redis_stop(struct embedded_redis *redis);
