/* A disk between a program and its files: it notes what is written, and fails or waits when it is told to.

   Loaded by LD_PRELOAD. Only files whose paths begin with DISK_FILES count, and the folder they are in. Each change is
   appended to the file DISK_LOG, after it was made and before the program goes on, so that whoever reads the length of the
   log knows what has happened by then:

       <kind> <offset> <length> <path>\n<length bytes>

   with the kinds w(ritten), t(runcated; the offset is the new length), s(ynced), and u(nlinked).

   The file DISK_FAULT may hold "<kind> <errno> <milliseconds>": each such act waits so long, and then fails with that error
   unless it is 0. Writes and truncations share the kind w. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* One act at a time, so that the order of the log is that of what happened. */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

/* The index of a write-ahead log is made anew after a loss of power, so it does not count. */
static int is_ours(const char *path) {
    const char *files = getenv("DISK_FILES");
    size_t length = strlen(path);
    if (!files || !length) return 0;
    if (strncmp(path, files, strlen(files)) == 0) return strstr(path, "-shm") == NULL;
    return strncmp(files, path, length) == 0 && files[length] == '/' && strchr(files + length + 1, '/') == NULL;
}

static int path_of(int descriptor, char *path, size_t room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, room - 1);
    path[length > 0 ? length : 0] = 0;
    return is_ours(path);
}

static void note(char kind, const char *path, long long offset, const void *bytes, size_t length) {
    const char *file = getenv("DISK_LOG");
    if (!file) return;
    char head[4200];
    int size = snprintf(head, sizeof head, "%c %lld %zu %s\n", kind, offset, length, path);
    struct iovec parts[] = {{head, (size_t)size}, {(void *)bytes, length}};
    int log = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0 || writev(log, parts, 2) != (ssize_t)(size + length)) abort();
    close(log);
}

/* Wait and fail as the file says; 0 if the act may be done. */
static int fault(char kind) {
    char text[64] = {0}, wanted = 0;
    int number = 0, milliseconds = 0;
    const char *file = getenv("DISK_FAULT");
    int descriptor = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0) return 0;
    ssize_t length = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (length <= 0 || sscanf(text, "%c %d %d", &wanted, &number, &milliseconds) != 3 || wanted != kind) return 0;
    struct timespec wait = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&wait, NULL);
    errno = number;
    return number;
}

static ssize_t put(int descriptor, const void *bytes, size_t length, off64_t offset) {
    char path[4096];
    if (!path_of(descriptor, path, sizeof path)) return REAL(pwrite64)(descriptor, bytes, length, offset);
    if (fault('w')) return -1;
    pthread_mutex_lock(&one);
    ssize_t written = REAL(pwrite64)(descriptor, bytes, length, offset);
    if (written > 0) note('w', path, offset, bytes, (size_t)written);
    pthread_mutex_unlock(&one);
    return written;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    return put(descriptor, bytes, length, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    return put(descriptor, bytes, length, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    char path[4096];
    if (!path_of(descriptor, path, sizeof path)) return REAL(write)(descriptor, bytes, length);
    if (fault('w')) return -1;
    pthread_mutex_lock(&one);
    long long offset = lseek(descriptor, 0, fcntl(descriptor, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t written = REAL(write)(descriptor, bytes, length);
    if (written > 0) note('w', path, offset, bytes, (size_t)written);
    pthread_mutex_unlock(&one);
    return written;
}

static int cut_off(int descriptor, off64_t length) {
    char path[4096];
    if (!path_of(descriptor, path, sizeof path)) return REAL(ftruncate64)(descriptor, length);
    if (fault('w')) return -1;
    pthread_mutex_lock(&one);
    int failed = REAL(ftruncate64)(descriptor, length);
    if (!failed) note('t', path, length, "", 0);
    pthread_mutex_unlock(&one);
    return failed;
}

int ftruncate64(int descriptor, off64_t length) { return cut_off(descriptor, length); }
int ftruncate(int descriptor, off_t length) { return cut_off(descriptor, length); }

static int synced(int descriptor, int (*real)(int)) {
    char path[4096];
    if (!path_of(descriptor, path, sizeof path)) return real(descriptor);
    if (fault('s')) return -1;
    pthread_mutex_lock(&one);
    int failed = real(descriptor);
    if (!failed) note('s', path, 0, "", 0);
    pthread_mutex_unlock(&one);
    return failed;
}

int fsync(int descriptor) { return synced(descriptor, REAL(fsync)); }
int fdatasync(int descriptor) { return synced(descriptor, REAL(fdatasync)); }

int unlink(const char *path) {
    if (!is_ours(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&one);
    int failed = REAL(unlink)(path);
    if (!failed) note('u', path, 0, "", 0);
    pthread_mutex_unlock(&one);
    return failed;
}
