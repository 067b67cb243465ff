/*
 * A log that is appended to, read back and waited for, in plain C.
 *
 *   appends near file-log    obeys lines on standard input: appends with each one on the disk (always), within a
 *                            second (interval) or never forced there (never), alone or by four processes at once
 *                            (-four); reads back (read); wakes another process that waits with inotify (wake)
 *
 * Each append takes a lock that the kernel drops with its holder. Nothing is dropped: a log begins anew when it is long.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include "record.h"
#include "waking.h"

enum { LONGEST = 1 << 20, LONG = 1 << 26, WINDOW = 1 << 18, WRITERS = 4 };

static char folder[200];
static int file = -1;
static uint64_t sequence;
static unsigned char record[sizeof(struct header) + LONGEST], payload[LONGEST];

static int open_log(const char *name) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) fail(path);
  return fd;
}

static void set_lock(int type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};
  if (fcntl(file, F_OFD_SETLKW, &lock)) fail("fcntl");
}

static void append(unsigned size) {
  struct stat status;
  set_lock(F_WRLCK);
  if (fstat(file, &status)) fail("fstat");
  if (status.st_size >= LONG) {
    if (ftruncate(file, 0)) fail("ftruncate");
    status.st_size = 0;
  }
  size_t total = make_record(record, ++sequence, payload, size);
  if (pwrite(file, record, total, status.st_size) != (ssize_t)total) fail("pwrite");
  set_lock(F_UNLCK);
}

/* `policy` is the first word of the order. */
static void append_many(const char *policy, unsigned size, long count) {
  int always = !strncmp(policy, "always", 6), interval = !strncmp(policy, "interval", 8);
  double flushed = now();
  for (; count > 0; count--) {
    append(size);
    if (!always && (!interval || now() - flushed < 1e9)) continue;
    if (fdatasync(file)) fail("fdatasync");
    flushed = now();
  }
}

/* CPU time of this process, and of those that it has waited for, in microseconds. */
static double cpu_of_all(void) {
  struct rusage u;
  getrusage(RUSAGE_CHILDREN, &u);
  return cpu() + (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void append_together(const char *name, const struct order *order) {
  long share = order->count / WRITERS;
  for (int other = 1; other < WRITERS; other++) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child) continue;
    /* With a lock of its own. */
    file = open_log(name);
    append_many(order->test, order->size, share);
    _exit(0);
  }
  append_many(order->test, order->size, order->count - share * (WRITERS - 1));
  for (int other = 1; other < WRITERS; other++) wait(NULL);
}

/* Reads so many records, from the first one on, and again. */
static void read_back(unsigned size, long count) {
  static unsigned char window[WINDOW];
  struct stat status;
  size_t total = sizeof(struct header) + size, start = 0, end = 0;
  off_t at = 0;
  if (fstat(file, &status)) fail("fstat");
  for (; status.st_size < LONG; status.st_size += total) append(size);
  while (count > 0) {
    if (end - start < total) {
      memmove(window, window + start, end - start);
      end -= start;
      start = 0;
      ssize_t got = pread(file, window + end, sizeof window - end, at);
      if (got < 0) fail("pread");
      at = got == 0 ? 0 : at + got;
      end = got == 0 ? 0 : end + got;
      continue;
    }
    struct header header;
    memcpy(&header, window + start, sizeof header);
    if (header.length != size || crc32c(window + start + 8, total - 8) != header.crc) fail("a record is damaged");
    start += total;
    count--;
  }
}

static void wait_for_records(long count) {
  char path[300], events[4096];
  struct stat status;
  snprintf(path, sizeof path, "%s/wake", folder);
  int watch = inotify_init1(IN_CLOEXEC), in = open_log("wake");
  if (inotify_add_watch(watch, path, IN_MODIFY) < 0) fail("inotify_add_watch");
  if (fstat(in, &status)) fail("fstat");
  off_t at = status.st_size;
  listening();
  while (count > 0) {
    struct header *header = (struct header *)record;
    ssize_t got = pread(in, record, sizeof record, at);
    if (got < 0) fail("pread");
    if (got == 0) {
      if (read(watch, events, sizeof events) < 0) fail("inotify");
      continue;
    }
    size_t total = sizeof *header + header->length;
    if (crc32c(record + 8, total - 8) != header->crc) fail("a record is damaged");
    at += total;
    came();
    count--;
  }
}

static void wake(pid_t child) {
  (void)child;
  append(64);
}

/* The log of an order: `read` has one for each size. */
static void name_of(const struct order *order, char *name, size_t room) {
  size_t word = strcspn(order->test, "-");
  if (!strcmp(order->test, "read")) snprintf(name, room, "read-%u", order->size);
  else snprintf(name, room, "%.*s", (int)word, order->test);
}

int main(int count, char **args) {
  if (count != 3 || strcmp(args[1], "near")) return 2;
  const char *parent = getenv("TMPDIR");
  make_tables();
  snprintf(folder, sizeof folder, "%s/c-XXXXXX", parent ? parent : "/tmp");
  if (!mkdtemp(folder)) fail("mkdtemp");
  signal(SIGINT, SIG_IGN);
  say_ready(0, LONGEST);
  struct order order;
  while (next_order(&order)) {
    char name[sizeof order.test + 16];
    name_of(&order, name, sizeof name);
    file = open_log(name);
    if (!strcmp(order.test, "wake")) {
      measure_wakes(order.count, wait_for_records, wake);
    } else {
      if (!strcmp(order.test, "read")) read_back(order.size, 1);
      double before = cpu_of_all(), began = now();
      if (!strcmp(order.test, "read")) read_back(order.size, order.count);
      else if (strstr(order.test, "-four")) append_together(name, &order);
      else append_many(order.test, order.size, order.count);
      answer(now() - began, (cpu_of_all() - before) / order.count);
    }
    close(file);
  }
  static const char *const names[] = {"always", "interval", "never", "read-4096", "read-65536", "wake"};
  for (size_t which = 0; which < sizeof names / sizeof *names; which++) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, names[which]);
    unlink(path);
  }
  rmdir(folder);
  return 0;
}
