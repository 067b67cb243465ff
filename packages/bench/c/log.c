/*
 * The work over two files that are appended to, in plain C.
 *
 *   log near file    starts its own far end, then obeys lines on standard input
 *
 * A record is its length, a CRC-32C, its sequence, the time, and the payload, appended with one write under a lock
 * that the kernel drops with its holder. Who has read to the end waits with inotify. What was read is given back to
 * the file system once it is many.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include "frames.h"
#include "record.h"

enum { LONGEST = 1 << 20, GIVEN_BACK = 1 << 25 };

static int in = -1, out = -1, watch = -1;
static off_t read_to, given_back;
static uint64_t sequence;
static unsigned char record[sizeof(struct header) + LONGEST], incoming[sizeof(struct header) + LONGEST];

static void set_lock(int type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};
  if (fcntl(out, F_OFD_SETLKW, &lock)) fail("fcntl");
}

static void send_frame(const void *payload, uint32_t size) {
  struct stat file;
  set_lock(F_WRLCK);
  if (fstat(out, &file)) fail("fstat");
  size_t total = make_record(record, ++sequence, payload, size);
  if (pwrite(out, record, total, file.st_size) != (ssize_t)total) fail("pwrite");
  set_lock(F_UNLCK);
}

/* What was read and not yet taken: incoming[start..end]. */
static size_t start, end;

static unsigned char *receive_frame(uint32_t *size, size_t most) {
  struct header header;
  char events[4096];
  (void)most;
  for (;;) {
    size_t have = end - start;
    if (have >= sizeof header) {
      memcpy(&header, incoming + start, sizeof header);
      size_t total = sizeof header + header.length;
      if (have >= total) {
        if (crc32c(incoming + start + 8, total - 8) != header.crc) fail("a record is damaged");
        unsigned char *payload = incoming + start + sizeof header;
        start += total;
        *size = header.length;
        return payload;
      }
    }
    memmove(incoming, incoming + start, have);
    start = 0;
    end = have;
    size_t room = have < 65536 ? 65536 : sizeof incoming;
    if (have >= sizeof header && have < sizeof header + header.length) room = sizeof header + header.length;
    ssize_t got = pread(in, incoming + end, room - end, read_to);
    if (got < 0) fail("pread");
    end += got;
    read_to += got;
    if (got == 0 && read(watch, events, sizeof events) < 0) fail("inotify");
    if (read_to - given_back < GIVEN_BACK) continue;
    fallocate(in, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, given_back, read_to - given_back);
    given_back = read_to;
  }
}

static size_t exactly(uint32_t size) {
  return size;
}

static int open_log(const char *folder, const char *name) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) fail(path);
  return fd;
}

static void watch_log(const char *folder, const char *name) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  watch = inotify_init1(IN_CLOEXEC);
  if (inotify_add_watch(watch, path, IN_MODIFY) < 0) fail("inotify_add_watch");
}

int main(int count, char **args) {
  if (count != 3 || strcmp(args[1], "near")) return 2;
  const char *parent = getenv("TMPDIR");
  char folder[256], path[300];
  make_tables();
  snprintf(folder, sizeof folder, "%s/c-XXXXXX", parent ? parent : "/tmp");
  if (!mkdtemp(folder)) fail("mkdtemp");
  int there[2] = {open_log(folder, "there"), open_log(folder, "there")};
  int back[2] = {open_log(folder, "back"), open_log(folder, "back")};
  int inherited[2];
  if (pipe2(inherited, O_CLOEXEC)) fail("pipe2");
  pid_t child = start_far_end(LONGEST);
  in = child ? back[0] : there[1];
  out = child ? there[0] : back[1];
  watch_log(folder, child ? "back" : "there");
  if (!child) {
    /* The near end removes the files once they are watched. */
    close(inherited[0]);
    close(inherited[1]);
    far_end();
    _exit(0);
  }
  char byte;
  close(inherited[1]);
  if (read(inherited[0], &byte, 1) < 0) fail("read");
  for (int which = 0; which < 2; which++) {
    snprintf(path, sizeof path, "%s/%s", folder, which ? "there" : "back");
    unlink(path);
  }
  rmdir(folder);
  near_end();
  stop_far_end(child);
  return 0;
}
