#include "server/embedded_redis.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_WAIT_MS = 30000,
    LOAD_WAIT_MS = 1000,
    PREDECESSOR_WAIT_MS = 10000,
    POLL_MS = 2,
    RESTART_MIN_MS = 50,
    RESTART_MAX_MS = 5000,
};

static void wait_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* ---- the directory ---- */

static int make_directories(const char *dir)
{
    char path[512];
    snprintf(path, sizeof path, "%s", dir);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(path, 0755) && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

/* An open lock file of the directory, or negative errno; -EWOULDBLOCK if somebody holds it for longer than
 * `patience_ms`. */
static int take_lock(const char *dir, const char *name, int flags, int patience_ms)
{
    char path[560];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | flags, 0600);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK || (patience_ms -= POLL_MS) < 0) {
            int error = -errno;
            close(fd);
            return error;
        }
        wait_ms(POLL_MS);
    }
    return fd;
}

static void write_pid(int fd)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)len, 0) != len)
        log_debug("the lock file does not say whose it is", NULL);
}

static int read_pid(const char *dir)
{
    char path[560], text[16] = "";
    snprintf(path, sizeof path, "%s/banterd.lock", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    return len > 0 ? atoi(text) : 0;
}

static int lock_directory(struct embedded_redis *redis, char *error, size_t size)
{
    int code = make_directories(redis->dir);
    if (code) {
        snprintf(error, size, "cannot make the state directory %s (%s); choose another: --state-dir DIR", redis->dir,
                 strerror(-code));
        return code;
    }
    redis->lock_fd = take_lock(redis->dir, "banterd.lock", O_CLOEXEC, 0);
    if (redis->lock_fd == -EWOULDBLOCK) {
        snprintf(
            error, size,
            "another banterd (process %d) uses the state directory %s; stop it, give this one a directory of its own "
            "(--state-dir DIR), or let both use one Redis (--redis URL)",
            read_pid(redis->dir), redis->dir);
        return redis->lock_fd;
    }
    redis->redis_lock_fd =
        redis->lock_fd < 0 ? -1 : take_lock(redis->dir, "redis.lock", O_CLOEXEC, PREDECESSOR_WAIT_MS);
    if (redis->lock_fd < 0 || redis->redis_lock_fd < 0) {
        code = redis->lock_fd < 0 ? redis->lock_fd : redis->redis_lock_fd;
        snprintf(error, size, "cannot lock the state directory %s (%s); choose another: --state-dir DIR", redis->dir,
                 code == -EWOULDBLOCK ? "the redis-server of an earlier banterd still runs in it" : strerror(-code));
        return code;
    }
    write_pid(redis->lock_fd);
    return 0;
}

/* ---- the child ---- */

/* redis-server from the PATH; else redis-check-rdb, which is the same program and serves if it is called redis-server.
 */
static char *find_binary(void)
{
    static const char *const names[] = {"redis-server", "redis-check-rdb"};
    const char *path = getenv("PATH");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *copy = strdup(path ? path : "/usr/local/bin:/usr/bin:/bin"), *rest = copy, *dir;
        while (copy && (dir = strsep(&rest, ":"))) {
            char *candidate;
            if (asprintf(&candidate, "%s/%s", dir, names[i]) < 0)
                break;
            if (access(candidate, X_OK) == 0) {
                free(copy);
                return candidate;
            }
            free(candidate);
        }
        free(copy);
    }
    return NULL;
}

/* In the child, between fork and exec: async-signal-safe calls only. */
NORETURN static void exec_redis(const struct embedded_redis *redis, char *const *argv, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* Ctrl-C on the terminal is for banterd, which ends its child when it has drained */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1); /* it died before the line above */
    fcntl(redis->redis_lock_fd, F_SETFD, 0);
    execv(redis->binary, argv);
    _exit(127);
}

static int start_child(struct embedded_redis *redis)
{
    char log[560];
    snprintf(log, sizeof log, "%s/redis.log", redis->dir);
    const char *argv[] = {
        "redis-server",
        "--port",
        "0",
        "--unixsocket",
        redis->socket,
        "--unixsocketperm",
        "700",
        "--dir",
        redis->dir,
        "--logfile",
        log,
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        redis->fsync,
        "--maxmemory-policy",
        "noeviction",
        "--hash-max-listpack-value",
        "2048",
        "--stream-node-max-bytes",
        "512",
        "--daemonize",
        "no",
        "--loglevel",
        "notice",
        NULL,
    };
    unlink(redis->socket); /* what is left of a predecessor: both locks are ours */
    pid_t parent = getpid();
    redis->pid = fork();
    if (redis->pid == 0)
        exec_redis(redis, (char *const *)(void *)argv, parent);
    if (redis->pid < 0) {
        redis->pid = 0;
        return -errno;
    }
    return 0;
}

enum child_state { CHILD_SILENT, CHILD_LOADING, CHILD_READY };

/* Asks the child how it is, over a socket of our own. */
static enum child_state ask_child(const struct embedded_redis *redis)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_usec = 200000};
    enum child_state state = CHILD_SILENT;
    char answer[64];
    memcpy(address.sun_path, redis->socket, sizeof redis->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return state;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6) {
        ssize_t len = recv(fd, answer, sizeof answer, 0);
        state = len >= 5 && memcmp(answer, "+PONG", 5) == 0 ? CHILD_READY : CHILD_LOADING;
    }
    close(fd);
    return state;
}

/* A large append-only file loads for a while: past LOAD_WAIT_MS that is no reason not to listen and to say so in
 * /readyz. */
static int wait_until_ready(struct embedded_redis *redis)
{
    for (int waited = 0; waited < START_WAIT_MS; waited += POLL_MS) {
        enum child_state state = ask_child(redis);
        if (state == CHILD_READY || (state == CHILD_LOADING && waited >= LOAD_WAIT_MS))
            return 0;
        if (waitpid(redis->pid, NULL, WNOHANG) == redis->pid) {
            redis->pid = 0;
            return -ECHILD;
        }
        wait_ms(POLL_MS);
    }
    return -ETIMEDOUT;
}

static void handle_restart(uv_timer_t *timer)
{
    struct embedded_redis *redis = CONTAINER_OF(timer, struct embedded_redis, restart);
    if (start_child(redis))
        uv_timer_start(timer, handle_restart, RESTART_MAX_MS, 0);
}

static void handle_child(uv_signal_t *signal, int number)
{
    (void)number;
    struct embedded_redis *redis = CONTAINER_OF(signal, struct embedded_redis, on_child);
    if (redis->pid == 0 || waitpid(redis->pid, NULL, WNOHANG) != redis->pid)
        return;
    redis->pid = 0;
    uint64_t delay_ms = (uint64_t)RESTART_MIN_MS << (redis->deaths < 6 ? redis->deaths : 6);
    redis->deaths++;
    log_error("the embedded redis-server has died; starting it again", "log=\"%s/redis.log\"", redis->dir);
    uv_timer_start(&redis->restart, handle_restart, delay_ms < RESTART_MAX_MS ? delay_ms : RESTART_MAX_MS, 0);
}

/* Absolute, since redis-server reads its other paths from inside the directory. */
static int name_paths(struct embedded_redis *redis, const char *dir, char *error, size_t size)
{
    char here[PATH_MAX] = "";
    if (*dir != '/' && !getcwd(here, sizeof here)) {
        int code = -errno;
        snprintf(error, size, "the working directory of banterd is gone (%s); give --state-dir a path from /",
                 strerror(-code));
        return code;
    }
    int dir_len = snprintf(redis->dir, sizeof redis->dir, "%s%s%s", here, *here ? "/" : "", dir);
    int socket_len = snprintf(redis->socket, sizeof redis->socket, "%s/redis.sock", redis->dir);
    if (dir_len < (int)sizeof redis->dir && socket_len < (int)sizeof redis->socket)
        return 0;
    snprintf(error, size,
             "the state directory %s is too long a path for a socket; choose a shorter one: --state-dir DIR",
             redis->dir);
    return -ENAMETOOLONG;
}

int embedded_redis_start(struct embedded_redis *redis, uv_loop_t *loop, const char *dir, const char *fsync, char *error,
                         size_t size)
{
    *redis = (struct embedded_redis){.loop = loop, .lock_fd = -1, .redis_lock_fd = -1};
    snprintf(redis->fsync, sizeof redis->fsync, "%s", fsync);
    int code = name_paths(redis, dir, error, size);
    if (code)
        return code;
    redis->binary = find_binary();
    if (!redis->binary) {
        snprintf(
            error, size,
            "there is no redis-server on this machine; install it (apt install redis-tools), or name one: --redis URL");
        return -ENOENT;
    }
    code = lock_directory(redis, error, size);
    if (code)
        return code;
    code = start_child(redis);
    if (!code)
        code = wait_until_ready(redis);
    if (code) {
        snprintf(error, size, "the embedded redis-server did not start; %s/redis.log says why", redis->dir);
        return code;
    }
    uv_timer_init(loop, &redis->restart);
    uv_signal_init(loop, &redis->on_child);
    return uv_signal_start(&redis->on_child, handle_child, SIGCHLD);
}

void embedded_redis_stop(struct embedded_redis *redis)
{
    uv_close((uv_handle_t *)&redis->on_child, NULL);
    uv_close((uv_handle_t *)&redis->restart, NULL);
    if (redis->pid > 0) {
        kill(redis->pid, SIGTERM);
        waitpid(redis->pid, NULL, 0);
    }
    close(redis->redis_lock_fd);
    close(redis->lock_fd);
    free(redis->binary);
}
