/*
 * The work over POSIX message queues and semaphores, in plain C.
 *
 *   posix near mq                  starts its own far end over two queues, one for each direction, and obeys
 *                                  lines on standard input
 *   posix far THERE BACK           the far end of a near end in another language, over two queues with these names
 *   posix near posix-semaphores    the same with two semaphores in shared memory
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include "frames.h"
#include "semaphores.h"

/* What the system permits to everyone, and gives to who does not say. */
enum { MOST = 8192, MESSAGES = 10 };

static mqd_t in = -1, out = -1;
static unsigned char incoming[MOST];

static void send_frame(const void *payload, uint32_t size) {
  if (mq_send(out, payload, size, 0)) fail("mq_send");
}

static unsigned char *receive_frame(uint32_t *size, size_t most) {
  ssize_t got = mq_receive(in, (char *)incoming, MOST, NULL);
  if (got < 0) return NULL;
  *size = got;
  return incoming;
}

static size_t exactly(uint32_t size) {
  return size;
}

/* Without its name it goes with those who have it open. */
static mqd_t open_queue(const char *name, int flags) {
  struct mq_attr attributes = {.mq_maxmsg = MESSAGES, .mq_msgsize = MOST};
  mqd_t queue = mq_open(name, O_RDWR | O_CLOEXEC | flags, 0600, &attributes);
  if (queue < 0) fail("mq_open");
  mq_unlink(name);
  return queue;
}

static void talk_over_queues(void) {
  char name[64];
  snprintf(name, sizeof name, "/ipc-bench-%d", getpid());
  mqd_t there = open_queue(name, O_CREAT | O_EXCL), back = open_queue(name, O_CREAT | O_EXCL);
  pid_t child = start_far_end(MOST);
  in = child ? back : there;
  out = child ? there : back;
  if (!child) far_end();
  near_end();
  stop_far_end(child);
}

static sem_t *semaphores;

static void give(int which) {
  sem_post(semaphores + which);
}

static void take(int which) {
  while (sem_wait(semaphores + which)) {}
}

int main(int count, char **args) {
  if (count >= 4 && !strcmp(args[1], "far")) {
    in = open_queue(args[2], 0);
    out = open_queue(args[3], 0);
    far_end();
  } else if (count == 3 && !strcmp(args[2], "mq")) talk_over_queues();
  else if (count == 3 && !strcmp(args[2], "posix-semaphores")) {
    semaphores = mmap(NULL, 2 * sizeof *semaphores, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (semaphores == MAP_FAILED) fail("mmap");
    for (int which = THERE; which <= BACK; which++) sem_init(semaphores + which, 1, 0);
    measure_semaphores();
  } else return 2;
  return 0;
}
