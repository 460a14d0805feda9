/* Catches what is written to a descriptor (stdout or stderr) between begin and end. */
#pragma once
#include "check.h"
#include <unistd.h>

struct capture {
    int fd, saved_fd;
    FILE *file;
    char text[32768];
};

static inline void capture_begin(struct capture *capture, int fd)
{
    fflush(NULL);
    capture->fd = fd;
    capture->saved_fd = dup(fd);
    capture->file = tmpfile();
    CHECK(capture->saved_fd >= 0 && capture->file);
    CHECK(dup2(fileno(capture->file), fd) == fd);
}

/* The text, valid until the next capture_end of the same `capture`. */
static inline const char *capture_end(struct capture *capture)
{
    fflush(NULL);
    CHECK(dup2(capture->saved_fd, capture->fd) == capture->fd);
    close(capture->saved_fd);
    rewind(capture->file);
    size_t len = fread(capture->text, 1, sizeof capture->text - 1, capture->file);
    capture->text[len] = '\0';
    fclose(capture->file);
    return capture->text;
}
