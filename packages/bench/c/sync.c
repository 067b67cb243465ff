/*
 * Locks and semaphores in memory that processes share, in plain C.
 *
 *   sync near sync-semaphores    starts its own far end: two semaphores over futexes, there and back
 *   sync locks                   obeys lines on standard input: locks and unlocks a robust mutex (mutex), or posts
 *                                and waits for a semaphore of libc (semaphore), so many times, and once more with
 *                                SIZE processes that all do so at once
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include "semaphores.h"

/* A number, and how many sleep until it is not 0. */
static struct {
  _Atomic int value, sleeping;
  char apart[56];
} *semaphores;

static void give(int which) {
  semaphores[which].value++;
  if (semaphores[which].sleeping) syscall(SYS_futex, &semaphores[which].value, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void take(int which) {
  for (;;) {
    int value = semaphores[which].value;
    while (value > 0) {
      if (__atomic_compare_exchange_n((int *)&semaphores[which].value, &value, value - 1, 0, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST))
        return;
    }
    semaphores[which].sleeping++;
    syscall(SYS_futex, &semaphores[which].value, FUTEX_WAIT, value, NULL, NULL, 0);
    semaphores[which].sleeping--;
  }
}

static struct {
  pthread_mutex_t mutex;
  sem_t semaphore;
} *locks;

static void work(const char *what, long count) {
  if (!strcmp(what, "mutex")) {
    for (; count > 0; count--) {
      pthread_mutex_lock(&locks->mutex);
      pthread_mutex_unlock(&locks->mutex);
    }
  } else {
    for (; count > 0; count--) {
      sem_post(&locks->semaphore);
      sem_wait(&locks->semaphore);
    }
  }
}

static void *memory(size_t size) {
  void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) fail("mmap");
  return start;
}

static void measure_locks(void) {
  locks = memory(sizeof *locks);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&locks->mutex, &attributes);
  sem_init(&locks->semaphore, 1, 0);
  say_ready(0, 0);
  struct order order;
  while (next_order(&order)) {
    double before = cpu(), began = now();
    for (unsigned each = 1; each < order.size; each++) {
      pid_t child = fork();
      if (child < 0) fail("fork");
      if (!child) {
        work(order.test, order.count);
        _exit(0);
      }
    }
    work(order.test, order.count);
    for (unsigned each = 1; each < order.size; each++) wait(NULL);
    answer(now() - began, (cpu() - before) / order.count);
  }
}

int main(int count, char **args) {
  if (count == 2 && !strcmp(args[1], "locks")) {
    measure_locks();
  } else if (count == 3 && !strcmp(args[2], "sync-semaphores")) {
    semaphores = memory(2 * sizeof *semaphores);
    measure_semaphores();
  } else {
    return 2;
  }
  return 0;
}
