/* A disk that fails on demand, in front of the real one: loaded with LD_PRELOAD, it looks at each call
 * which files lie in the directory FAULTY_DISK.
 *
 *   hang  fsync and fdatasync do not return while it is there
 *   full  a file of the data directory cannot grow: ENOSPC
 *   copy  the database file itself cannot be written: EIO
 *
 * Only files in the directory FAULTY_DATA are concerned. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int asked(const char *fault) {
    const char *place = getenv("FAULTY_DISK");
    char path[4096];
    if (!place) return 0;
    snprintf(path, sizeof path, "%s/%s", place, fault);
    return access(path, F_OK) == 0;
}

/* Whether the file is in the data directory; its path in `name`. */
static int ours(int fd, char *name, size_t size) {
    const char *data = getenv("FAULTY_DATA");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, size - 1);
    if (!data || length < 0) return 0;
    name[length] = 0;
    return strncmp(name, data, strlen(data)) == 0;
}

static int ends(const char *name, const char *end) {
    size_t a = strlen(name), b = strlen(end);
    return a >= b && strcmp(name + a - b, end) == 0;
}

/* 0, or the error that a write of so many bytes at this place has. */
static int fault(int fd, size_t count, off_t at) {
    char name[4096];
    struct stat now;
    int saved = errno;
    int error = 0;
    if (ours(fd, name, sizeof name)) {
        if (asked("copy") && ends(name, "hookyard.db")) error = EIO;
        if (!error && asked("full") && fstat(fd, &now) == 0 && at + (off_t)count > now.st_size)
            error = ENOSPC;
    }
    errno = saved;
    return error;
}

static void hang(int fd) {
    char name[4096];
    int saved = errno;
    while (asked("hang") && ours(fd, name, sizeof name)) usleep(20000);
    errno = saved;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { hang(fd); return REAL(fsync)(fd); }
int fdatasync(int fd) { hang(fd); return REAL(fdatasync)(fd); }

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    int error = fault(fd, count, at);
    if (error) { errno = error; return -1; }
    return REAL(pwrite)(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    int error = fault(fd, count, at);
    if (error) { errno = error; return -1; }
    return REAL(pwrite64)(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    char name[4096];
    int saved = errno;
    off_t at = ours(fd, name, sizeof name) ? lseek(fd, 0, SEEK_CUR) : -1;
    errno = saved;
    int error = at >= 0 ? fault(fd, count, at) : 0;
    if (error) { errno = error; return -1; }
    return REAL(write)(fd, bytes, count);
}
