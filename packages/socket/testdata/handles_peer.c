/* Sends credentials and descriptors in one control buffer, and says what comes: handles_peer PATH. */

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
  if (argc != 2) return 2;
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  check(fd < 0, "socket");
  check(connect(fd, (struct sockaddr *)&address, sizeof address) < 0, "connect");

  int ends[2];
  check(pipe(ends) < 0, "pipe");
  union {
    char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof ends)];
    struct cmsghdr align;
  } control = { 0 };
  char text[100] = "both";
  struct iovec data = { text, 4 };
  struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof ends);
  memcpy(CMSG_DATA(header), ends, sizeof ends);
  header = CMSG_NXTHDR(&message, header);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof(struct ucred));
  struct ucred self = { getpid(), getuid(), getgid() };
  memcpy(CMSG_DATA(header), &self, sizeof self);
  check(sendmsg(fd, &message, MSG_NOSIGNAL) < 0, "sendmsg");
  close(ends[1]);

  data.iov_len = sizeof text;
  message.msg_controllen = sizeof control.bytes;
  ssize_t count = recvmsg(fd, &message, 0);
  check(count < 0, "recvmsg");
  header = CMSG_FIRSTHDR(&message);
  check(header == NULL || header->cmsg_type != SCM_RIGHTS, "no descriptor");
  int received;
  memcpy(&received, CMSG_DATA(header), sizeof received);
  printf("%.*s with %zu\n", (int)count, text, (header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  check(write(received, "written in C", 12) != 12, "write");
  /* What was written into the other end of the pipe that it sent. */
  count = read(ends[0], text, sizeof text);
  printf("read %.*s\n", (int)count, text);
  return 0;
}
