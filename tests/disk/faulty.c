/* A disk that fails on demand, and a clock that somebody sets, in front of the real ones: loaded with
 * LD_PRELOAD, this looks at each call which files lie in the directory FAULTY_DISK.
 *
 *   hang  fsync and fdatasync do not return while it is there
 *   full  a file of the data directory cannot grow: ENOSPC
 *   copy  the database file itself cannot be written: EIO
 *   sync  fsync and fdatasync fail: EIO
 *   read  one read in twenty fails: EIO
 *   clock the time of day is so many seconds ahead as the file says, or behind
 *
 * Only files in the directory FAULTY_DATA are concerned. Where FAULTY_SHADOW names a directory, a copy of
 * each file as of its last fsync is kept in there: the part of the data that a cut of the power leaves for
 * certain. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
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

/* Makes the copy of a file in FAULTY_SHADOW what the file is now. */
static void shadow(int fd) {
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    const char *place = getenv("FAULTY_SHADOW");
    char name[4096], path[4096];
    struct stat now;
    if (!place || !ours(fd, name, sizeof name) || fstat(fd, &now) || !S_ISREG(now.st_mode)) return;
    snprintf(path, sizeof path, "%s/%s", place, name + strlen(getenv("FAULTY_DATA")) + 1);
    pthread_mutex_lock(&one_at_a_time);
    int copy = open(path, O_RDWR | O_CREAT, 0600);
    off_t at = 0;
    if (copy < 0 || fstat(fd, &now) || ftruncate(copy, now.st_size)) abort();
    while (at < now.st_size) {
        char bytes[1 << 16];
        ssize_t count = REAL(pread)(fd, bytes, sizeof bytes, at);
        if (count <= 0) break;
        if (REAL(pwrite)(copy, bytes, count, at) != count) abort();
        at += count;
    }
    close(copy);
    pthread_mutex_unlock(&one_at_a_time);
}

/* What follows an fsync of either kind. */
static int synced(int fd, int result) {
    char name[4096];
    int saved = errno;
    if (asked("sync") && ours(fd, name, sizeof name)) {
        errno = EIO;
        return -1;
    }
    if (result == 0) shadow(fd);
    errno = saved;
    return result;
}

int fsync(int fd) { hang(fd); return synced(fd, REAL(fsync)(fd)); }
int fdatasync(int fd) { hang(fd); return synced(fd, REAL(fdatasync)(fd)); }

/* Whether this read is one of those that fail. */
static int unreadable(int fd) {
    static _Atomic unsigned reads;
    char name[4096];
    int saved = errno;
    int fails = asked("read") && ours(fd, name, sizeof name) && ++reads % 20 == 0;
    errno = saved;
    return fails;
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at) {
    if (unreadable(fd)) { errno = EIO; return -1; }
    return REAL(pread)(fd, bytes, count, at);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
    if (unreadable(fd)) { errno = EIO; return -1; }
    return REAL(pread64)(fd, bytes, count, at);
}

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

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __thread int busy;
    const char *place = getenv("FAULTY_DISK");
    char path[4096], text[32] = "";
    int result = REAL(clock_gettime)(clock, now);
    if (result || clock != CLOCK_REALTIME || !place || busy) return result;
    busy = 1;
    int saved = errno;
    snprintf(path, sizeof path, "%s/clock", place);
    int file = open(path, O_RDONLY);
    if (file >= 0) {
        if (REAL(read)(file, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
        close(file);
    }
    errno = saved;
    busy = 0;
    return 0;
}
