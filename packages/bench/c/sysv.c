/*
 * The work over System V message queues and semaphores, in plain C.
 *
 *   sysv near sysv-msg           starts its own far end over two queues, one for each direction, and obeys
 *                                lines on standard input
 *   sysv far THERE BACK          the far end of a near end in another language, over two queues with these ids
 *   sysv near sysv-semaphores    the same with the two semaphores of a set
 */
#define _GNU_SOURCE
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include "frames.h"
#include "semaphores.h"

/* MSGMAX, where nobody has raised it. */
enum { MOST = 8192 };

static struct {
  long type;
  unsigned char payload[MOST];
} outgoing = {1, {0}}, incoming;

static int in = -1, out = -1;

static void send_frame(const void *payload, uint32_t size) {
  memcpy(outgoing.payload, payload, size);
  if (msgsnd(out, &outgoing, size, 0)) fail("msgsnd");
}

/* The end is that the queue is removed. */
static unsigned char *receive_frame(uint32_t *size, size_t most) {
  ssize_t got = msgrcv(in, &incoming, MOST, 0, 0);
  if (got < 0) return NULL;
  *size = got;
  return incoming.payload;
}

static size_t exactly(uint32_t size) {
  return size;
}

static void talk_over_queues(void) {
  int there = msgget(IPC_PRIVATE, 0600), back = msgget(IPC_PRIVATE, 0600);
  if (there < 0 || back < 0) fail("msgget");
  pid_t child = start_far_end(MOST);
  in = child ? back : there;
  out = child ? there : back;
  if (!child) {
    far_end();
    _exit(0);
  }
  near_end();
  msgctl(there, IPC_RMID, NULL);
  msgctl(back, IPC_RMID, NULL);
  waitpid(child, NULL, 0);
}

static int set = -1;

static void operate(int which, int by) {
  struct sembuf operation = {which, by, 0};
  if (semop(set, &operation, 1)) fail("semop");
}

static void give(int which) {
  operate(which, 1);
}

static void take(int which) {
  operate(which, -1);
}

int main(int count, char **args) {
  /* What else our near end says is for a far end of ours. */
  if (count >= 4 && !strcmp(args[1], "far")) {
    in = atoi(args[2]);
    out = atoi(args[3]);
    far_end();
  } else if (count == 3 && !strcmp(args[2], "sysv-msg")) talk_over_queues();
  else if (count == 3 && !strcmp(args[2], "sysv-semaphores")) {
    if ((set = semget(IPC_PRIVATE, 2, 0600)) < 0) fail("semget");
    measure_semaphores();
    semctl(set, 0, IPC_RMID);
  } else return 2;
  return 0;
}
