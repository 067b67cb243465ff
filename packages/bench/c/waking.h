/*
 * How long it takes to wake another process. The one that is woken is forked for each order; when each wake began, and
 * how long it took, is in memory that both have. Each begins when the one before has come, and a rest is over.
 */
#ifndef WAKING_H
#define WAKING_H
#include <stdatomic.h>
#include <sys/mman.h>
#include "work.h"

static struct {
  _Atomic long come;
  _Atomic int listening;
  double left, used;
  double times[];
} *wakes;

static void prepare_wakes(long count) {
  wakes = mmap(NULL, sizeof *wakes + count * sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (wakes == MAP_FAILED) fail("mmap");
}

/* In the one that is woken: it listens from now on. */
static void listening(void) {
  wakes->listening = 1;
}

/* In the one that is woken: it has come. */
static void came(void) {
  wakes->times[wakes->come] = (now() - wakes->left) / 1e3;
  wakes->come++;
}

static void rest(void) {
  struct timespec pause = {.tv_nsec = 1000000};
  nanosleep(&pause, NULL);
}

/* Has a child run `wait`, which calls `listening` and then `came` so many times, and wakes it as often. */
static void measure_wakes(long count, void (*wait_for)(long count), void (*wake)(pid_t child)) {
  prepare_wakes(count);
  double before = cpu();
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (!child) {
    wait_for(count);
    wakes->used = cpu();
    _exit(0);
  }
  while (!wakes->listening) rest();
  for (long number = 0; number < count; number++) {
    do rest();
    while (wakes->come < number);
    wakes->left = now();
    wake(child);
  }
  waitpid(child, NULL, 0);
  double sum = 0;
  for (long number = 0; number < count; number++) sum += wakes->times[number];
  qsort(wakes->times, count, sizeof *wakes->times, ascending);
  printf("{\"nanoseconds\":%.0f,\"cpu\":%.3f,\"p50\":%.3f,\"p99\":%.3f}\n", sum * 1e3,
         (cpu() - before + wakes->used) / count, wakes->times[count / 2], wakes->times[(long)(count * 0.99)]);
  fflush(stdout);
  munmap(wakes, sizeof *wakes + count * sizeof(double));
}
#endif
