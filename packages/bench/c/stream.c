/*
 * The work of a channel over a byte stream, in plain C: what the library is measured against.
 *
 *   stream near pipe|fifo|unix|tcp    starts its own far end, then obeys lines on standard input: TEST SIZE COUNT
 *   stream far IN OUT                 the far end of a near end in another language, over two paths;
 *   stream far @NAME                  or over a unix socket with an abstract name;
 *   stream far tcp:ADDRESS:PORT       or over TCP;
 *   stream far                        or over the two descriptors that IPC_CHANNEL names, as in "3,4"
 *
 * A frame is its length, four bytes, and the payload. A small frame is one write; a long one is a writev.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "frames.h"
#include "sockets.h"

enum { PREFIX = 4, CHUNK = 65536, SMALL = 4096 };

static int in = -1, out = -1;

static void send_frame(const void *payload, uint32_t size) {
  if (size <= SMALL) {
    unsigned char frame[PREFIX + SMALL];
    memcpy(frame, &size, PREFIX);
    memcpy(frame + PREFIX, payload, size);
    if (write(out, frame, PREFIX + size) != (ssize_t)(PREFIX + size)) fail("write");
    return;
  }
  struct iovec parts[2] = {{&size, PREFIX}, {(void *)payload, size}};
  int first = 0;
  while (first < 2) {
    ssize_t done = writev(out, parts + first, 2 - first);
    if (done < 0) fail("writev");
    while (first < 2 && (size_t)done >= parts[first].iov_len) done -= parts[first++].iov_len;
    if (first < 2) {
      parts[first].iov_base = (char *)parts[first].iov_base + done;
      parts[first].iov_len -= done;
    }
  }
}

/* What was read and not yet taken: buffer[start..end]. */
static unsigned char *buffer;
static size_t capacity, start, end;

static void need(size_t size) {
  if (size <= capacity) return;
  capacity = size;
  if (!(buffer = realloc(buffer, capacity))) fail("realloc");
}

/* The next frame's payload, or NULL at the end. `most` is what one read may ask for; 0: as much as fits. */
static unsigned char *receive_frame(uint32_t *size, size_t most) {
  need(CHUNK);
  for (;;) {
    size_t have = end - start, total = PREFIX;
    if (have >= PREFIX) {
      memcpy(size, buffer + start, PREFIX);
      total = PREFIX + (size_t)*size;
      if (have >= total) {
        unsigned char *payload = buffer + start + PREFIX;
        start += total;
        return payload;
      }
    }
    if (have == 0) start = end = 0;
    else if (start > 0) {
      memmove(buffer, buffer + start, have);
      start = 0;
      end = have;
    }
    need(total + PREFIX);
    /* A long frame is read to its end and the next prefix, so that little has to be moved. */
    size_t room = most ? most : total > CHUNK ? total + PREFIX - end : capacity - end;
    ssize_t got = read(in, buffer + end, room);
    if (got < 0) fail("read");
    if (got == 0) return NULL;
    end += got;
  }
}

static size_t exactly(uint32_t size) {
  return PREFIX + size;
}

static void open_both(const char *input, const char *output, int read_first) {
  if (read_first && (in = open(input, O_RDONLY | O_CLOEXEC)) < 0) fail(input);
  if ((out = open(output, O_WRONLY | O_CLOEXEC)) < 0) fail(output);
  if (!read_first && (in = open(input, O_RDONLY | O_CLOEXEC)) < 0) fail(input);
}

static void start_over_pipes(void) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC)) fail("pipe2");
  pid_t child = start_far_end(0);
  in = child ? up[0] : down[0];
  out = child ? down[1] : up[1];
  close(child ? up[1] : up[0]);
  close(child ? down[0] : down[1]);
  if (child) return;
  far_end();
  _exit(0);
}

static void start_over_fifos(void) {
  const char *parent = getenv("TMPDIR");
  char folder[256], down[272], up[272];
  snprintf(folder, sizeof folder, "%s/c-XXXXXX", parent ? parent : "/tmp");
  if (!mkdtemp(folder)) fail("mkdtemp");
  snprintf(down, sizeof down, "%s/down", folder);
  snprintf(up, sizeof up, "%s/up", folder);
  if (mkfifo(down, 0600) || mkfifo(up, 0600)) fail("mkfifo");
  pid_t child = start_far_end(0);
  open_both(child ? up : down, child ? down : up, !child);
  if (!child) {
    far_end();
    _exit(0);
  }
  unlink(down);
  unlink(up);
  rmdir(folder);
}

/* Each end of the pair is read and written. */
static void start_over_sockets(int pair[2]) {
  pid_t child = start_far_end(0);
  in = out = pair[child ? 0 : 1];
  close(pair[child ? 1 : 0]);
  if (child) return;
  far_end();
  _exit(0);
}

static int no_delay(int fd) {
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int))) fail("setsockopt");
  return fd;
}

static void start_over_tcp(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1)) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &length)) fail("getsockname");
  pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(pair[0], (struct sockaddr *)&address, length)) fail("connect");
  if ((pair[1] = accept(listener, NULL, NULL)) < 0) fail("accept");
  close(listener);
  no_delay(pair[0]);
  no_delay(pair[1]);
  start_over_sockets(pair);
}

static int connect_tcp(const char *text) {
  char host[32] = "";
  unsigned port = 0;
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (sscanf(text, "tcp:%31[0-9.]:%u", host, &port) != 2 || !inet_aton(host, &address.sin_addr)) fail(text);
  address.sin_port = htons(port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  return no_delay(fd);
}

int main(int count, char **args) {
  if (count == 3 && !strcmp(args[1], "near")) {
    int pair[2];
    if (!strcmp(args[2], "pipe")) start_over_pipes();
    else if (!strcmp(args[2], "fifo")) start_over_fifos();
    else if (!strcmp(args[2], "tcp")) start_over_tcp();
    else {
      make_pair(SOCK_STREAM, pair);
      start_over_sockets(pair);
    }
    near_end();
    close(out);
    while (wait(NULL) > 0) {}
    return 0;
  }
  if (count < 2 || strcmp(args[1], "far")) return 2;
  if (count == 4) open_both(args[2], args[3], 1);
  else if (count == 3) in = out = *args[2] == '@' ? connect_unix(SOCK_STREAM, args[2]) : connect_tcp(args[2]);
  else {
    const char *channel = getenv("IPC_CHANNEL");
    if (!channel || sscanf(channel, "%d,%d", &in, &out) != 2) return 2;
  }
  far_end();
  return 0;
}
