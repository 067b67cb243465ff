/* Unix sockets that are connected. */
#ifndef SOCKETS_H
#define SOCKETS_H
#include <arpa/inet.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static void make_pair(int type, int pair[2]) {
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair)) fail("socketpair");
}

/* Connects to an abstract name, which is written with an @. */
static int connect_unix(int type, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  if (length > sizeof address.sun_path) fail(name);
  memcpy(address.sun_path + 1, name + 1, length - 1);
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + length)) fail("connect");
  return fd;
}
#endif
