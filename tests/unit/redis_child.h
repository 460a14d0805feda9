/*
 * A Redis of the test's own: a child process with its files and its unix socket in a directory of its own. It dies with
 * the test, also when a CHECK fails. Nothing is kept: a restarted one is empty.
 */
#pragma once
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_child {
    pid_t pid;
    char dir[64];
    char socket[96]; /* path */
    char url[112];   /* unix://path */
    int port;        /* on 127.0.0.1, or 0: unix socket only */
    const char *const *settings;
};

/* A port of 127.0.0.1 that nobody listens on just now. */
static inline int redis_child_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline void redis_child_exec(const struct redis_child *child, int output)
{
    char port[12];
    snprintf(port, sizeof port, "%d", child->port);
    const char *argv[32] = {"redis-server", "--port",     port,       "--bind", "127.0.0.1", "--unixsocket",
                            child->socket,  "--dir",      child->dir, "--save", "",          "--appendonly",
                            "no",           "--loglevel", "notice"};
    int count = 15;
    for (const char *const *setting = child->settings; setting && *setting; setting++) {
        CHECK(count < 31);
        argv[count++] = *setting;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDOUT_FILENO);
    execvp("redis-server", (char *const *)argv);
    execv("/usr/bin/redis-check-rdb", (char *const *)argv); /* the same program: its name decides what it does */
    _exit(127);
}

/* Starts it (again, after redis_child_kill) and returns when it accepts connections: its log says so. */
static inline void redis_child_run(struct redis_child *child)
{
    int output[2];
    CHECK(pipe2(output, O_CLOEXEC) == 0);
    unlink(child->socket);
    child->pid = fork();
    CHECK(child->pid >= 0);
    if (child->pid == 0)
        redis_child_exec(child, output[1]);
    close(output[1]);
    FILE *log = fdopen(output[0], "r");
    char line[512];
    bool is_ready = false;
    /* With a port there are two such lines; the one about the unix socket is the last in all versions. */
    while (!is_ready && fgets(line, sizeof line, log))
        is_ready = strstr(line, "eady to accept connections") && (strstr(line, child->socket) || strstr(line, " unix"));
    CHECK(is_ready);
    fclose(log); /* Redis ignores SIGPIPE */
}

/* `settings`: more words for its command line, ended by NULL; or NULL. They are used again at a restart. */
static inline void redis_child_start(struct redis_child *child, bool with_port, const char *const *settings)
{
    *child = (struct redis_child){.settings = settings};
    snprintf(child->dir, sizeof child->dir, "/tmp/banter-redis-XXXXXX");
    CHECK(mkdtemp(child->dir));
    snprintf(child->socket, sizeof child->socket, "%s/redis.sock", child->dir);
    snprintf(child->url, sizeof child->url, "unix://%s", child->socket);
    child->port = with_port ? redis_child_free_port() : 0;
    redis_child_run(child);
}

static inline void redis_child_kill(struct redis_child *child)
{
    if (child->pid <= 0)
        return;
    kill(child->pid, SIGKILL);
    CHECK(waitpid(child->pid, NULL, 0) == child->pid);
    child->pid = 0;
}

static inline void redis_child_done(struct redis_child *child)
{
    redis_child_kill(child);
    DIR *dir = opendir(child->dir);
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0); /* fails on . and .. */
    closedir(dir);
    rmdir(child->dir);
}
