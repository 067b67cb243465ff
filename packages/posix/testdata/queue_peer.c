/* Does with POSIX message queues what standard input says, a line at a time, and answers in JSON; queue_peer.ts
 * starts it and lists the commands. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static char line[1 << 18];
static char *words[8];
static unsigned char bytes[1 << 16];
static mqd_t queue = (mqd_t)-1;
static struct mq_attr attributes;

static int is(const char *verb) { return strcmp(words[0], verb) == 0; }

static int number(int index) { return (int)strtol(words[index], NULL, 10); }

static void answer(int result) {
  if (result == -1) printf("{\"error\":\"%s\"}\n", strerror(errno));
  else printf("%d\n", result);
}

static size_t from_hex(const char *hex) {
  size_t length = 0;
  if (strcmp(hex, "-") == 0) return 0;
  for (; hex[2 * length] != '\0'; length++) sscanf(hex + 2 * length, "%2hhx", &bytes[length]);
  return length;
}

static void receive(void) {
  unsigned priority;
  ssize_t length = mq_receive(queue, (char *)bytes, attributes.mq_msgsize, &priority);
  if (length == -1) {
    answer(-1);
    return;
  }
  printf("{\"priority\":%u,\"hex\":\"", priority);
  for (ssize_t index = 0; index < length; index++) printf("%02x", bytes[index]);
  printf("\"}\n");
}

static void look(void) {
  struct stat status;
  mq_getattr(queue, &attributes);
  fstat(queue, &status);
  printf("{\"messages\":%ld,\"maxMessages\":%ld,\"maxMessageSize\":%ld,\"uid\":%u,\"gid\":%u,\"mode\":%u}\n",
         attributes.mq_curmsgs, attributes.mq_maxmsg, attributes.mq_msgsize, status.st_uid, status.st_gid,
         status.st_mode & 0777);
}

/* Asks for a signal, answers that it has, and then that the signal has come. */
static void be_notified(void) {
  struct sigevent event = {0};
  struct timespec limit = {20, 0};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN;
  if (mq_notify(queue, &event) == -1) {
    answer(-1);
    return;
  }
  answer(0);
  fflush(stdout);
  answer(sigtimedwait(&set, NULL, &limit) == SIGRTMIN ? 1 : -1);
}

static void obey(void) {
  if (is("create")) {
    attributes.mq_maxmsg = number(2);
    attributes.mq_msgsize = number(3);
    umask(0);
    queue = mq_open(words[1], O_RDWR | O_CREAT | O_EXCL, strtol(words[4], NULL, 8), &attributes);
    answer(queue);
  } else if (is("open")) {
    queue = mq_open(words[1], O_RDWR);
    if (queue != (mqd_t)-1) mq_getattr(queue, &attributes);
    answer(queue);
  } else if (is("send")) {
    size_t length = from_hex(words[2]);
    answer(mq_send(queue, (char *)bytes, length, number(1)));
  } else if (is("receive")) receive();
  else if (is("status")) look();
  else if (is("notify")) be_notified();
  else if (is("unlink")) answer(mq_unlink(words[1]));
}

int main(void) {
  while (fgets(line, sizeof line, stdin) != NULL) {
    int count = 0;
    for (char *word = strtok(line, " \n"); word != NULL && count < 8; word = strtok(NULL, " \n")) words[count++] = word;
    obey();
    fflush(stdout);
  }
  return 0;
}
