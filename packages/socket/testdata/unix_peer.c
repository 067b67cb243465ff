/* A seqpacket socket that looks at credentials: unix_peer connect|listen PATH. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void check(int failed, const char *what) {
  if (!failed) return;
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  strncpy(address.sun_path, argv[2], sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  check(fd < 0, "socket");
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (strcmp(argv[1], "listen") == 0) {
    check(bind(fd, (struct sockaddr *)&address, sizeof address) < 0, "bind");
    check(listen(fd, 1) < 0, "listen");
    puts("listening");
    fd = accept(fd, NULL, NULL);
    check(fd < 0, "accept");
  } else {
    check(connect(fd, (struct sockaddr *)&address, sizeof address) < 0, "connect");
  }
  int on = 1;
  check(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0, "setsockopt");

  /* Its own credentials, said out loud. */
  char text[64];
  struct iovec data = { text, (size_t)sprintf(text, "pid %d", getpid()) };
  union {
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control = { 0 };
  struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof(struct ucred));
  struct ucred self = { getpid(), getuid(), getgid() };
  memcpy(CMSG_DATA(header), &self, sizeof self);
  check(sendmsg(fd, &message, MSG_NOSIGNAL) < 0, "sendmsg");

  char buffer[4096];
  for (;;) {
    data = (struct iovec){ buffer, sizeof buffer };
    message = (struct msghdr){ .msg_iov = &data, .msg_iovlen = 1 };
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    ssize_t count = recvmsg(fd, &message, 0);
    check(count < 0, "recvmsg");
    header = CMSG_FIRSTHDR(&message);
    if (count == 0 && header == NULL) break;
    check(header == NULL || header->cmsg_type != SCM_CREDENTIALS, "no credentials");
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(header), sizeof sender);
    printf("from %d: %zd bytes\n", sender.pid, count);
  }
  puts("end");
  return 0;
}
