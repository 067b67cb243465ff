/*
 * The work of a channel over System V message queues, and semaphores, in plain C.
 *
 *   sysv near sysv-msg    starts its own far end over one queue, one type for each direction
 *   sysv near sysv-sem    the same over two semaphores: a round trip gives one and takes the other
 */
#define _GNU_SOURCE
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include "work.h"

enum { MOST = 8192 };

struct message {
  long type;
  unsigned char payload[MOST];
};

static struct message outgoing, incoming;
static int queue = -1;
static long receive_type;

static void send_frame(const void *payload, uint32_t size) {
  memcpy(outgoing.payload, payload, size);
  if (msgsnd(queue, &outgoing, size, 0)) fail("msgsnd");
}

static unsigned char *receive_frame(uint32_t *size, size_t most) {
  (void)most;
  ssize_t got = msgrcv(queue, &incoming, MOST, receive_type, 0);
  if (got < 0) return NULL;
  *size = got;
  return incoming.payload;
}

static size_t exactly(uint32_t size) {
  return size;
}

static void as_end(int near) {
  outgoing.type = near ? 1 : 2;
  receive_type = near ? 2 : 1;
}

static int set = -1;

static void operate(int index, int by) {
  struct sembuf operation = {index, by, 0};
  /* Removed: the other end is gone. */
  if (semop(set, &operation, 1)) exit(0);
}

static void near_semaphores(void) {
  char line[64], test[32];
  unsigned size;
  long count;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%31s %u %ld", test, &size, &count) != 3) continue;
    double before = cpu(), began = now();
    for (long i = 0; i < count; i++) {
      operate(0, 1);
      operate(1, -1);
    }
    printf("{\"nanoseconds\":%.0f,\"cpu\":%.3f}\n", now() - began, (cpu() - before) / count);
    fflush(stdout);
  }
}

static void far_semaphores(void) {
  for (;;) {
    operate(0, -1);
    operate(1, 1);
  }
}

int main(int count, char **args) {
  if (count != 3 || strcmp(args[1], "near")) return 2;
  int semaphores = !strcmp(args[2], "sysv-sem");
  if (semaphores) set = semget(IPC_PRIVATE, 2, 0600);
  else queue = msgget(IPC_PRIVATE, 0600);
  if ((semaphores ? set : queue) < 0) fail("create");
  pid_t child = fork();
  if (child < 0) fail("fork");
  as_end(child != 0);
  if (!child) {
    if (semaphores) far_semaphores();
    else far_end();
    _exit(0);
  }
  printf("{\"ready\":true,\"pids\":[%d]}\n", child);
  fflush(stdout);
  if (semaphores) {
    near_semaphores();
    semctl(set, 0, IPC_RMID);
  } else {
    near_end();
    msgctl(queue, IPC_RMID, NULL);
  }
  while (wait(NULL) > 0) {}
  return 0;
}
