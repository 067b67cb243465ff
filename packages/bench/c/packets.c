/*
 * The work over a unix socket whose messages the kernel keeps apart, in plain C.
 *
 *   packets near unix-seqpacket    starts its own far end, then obeys lines on standard input
 *   packets near unix-dgram        the same over datagrams
 *   packets far @NAME              the far end of a near end in another language, over an abstract name: seqpacket
 */
#define _GNU_SOURCE
#include "frames.h"
#include "sockets.h"

static int channel = -1;
static unsigned char *incoming;
static long most;

static void send_frame(const void *payload, uint32_t size) {
  if (send(channel, payload, size, MSG_NOSIGNAL) != (ssize_t)size) fail("send");
}

static unsigned char *receive_frame(uint32_t *size, size_t at_most) {
  (void)at_most;
  ssize_t got = recv(channel, incoming, most, 0);
  if (got <= 0) return NULL;
  *size = got;
  return incoming;
}

static size_t exactly(uint32_t size) {
  return size;
}

/* What the send buffer takes of one message, less what the kernel writes down of it. */
static void make_room(int fd) {
  int buffer;
  socklen_t length = sizeof buffer;
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, &length)) fail("getsockopt");
  most = buffer - 32;
  if (!(incoming = malloc(most))) fail("malloc");
}

int main(int count, char **args) {
  if (count != 3) return 2;
  if (!strcmp(args[1], "far")) {
    make_room(channel = connect_unix(SOCK_SEQPACKET, args[2]));
    far_end();
    return 0;
  }
  int pair[2];
  int datagrams = !strcmp(args[2], "unix-dgram");
  make_pair(datagrams ? SOCK_DGRAM : SOCK_SEQPACKET, pair);
  make_room(pair[0]);
  pid_t child = start_far_end(most);
  channel = pair[child ? 0 : 1];
  close(pair[child ? 1 : 0]);
  if (!child) {
    far_end();
    _exit(0);
  }
  near_end();
  close(channel);
  if (datagrams) stop_far_end(child);
  while (wait(NULL) > 0) {}
  return 0;
}
