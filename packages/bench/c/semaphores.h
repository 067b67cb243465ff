/*
 * Two semaphores, there and back: a program that includes this file defines the two
 * functions declared here, makes the semaphores and calls measure_semaphores.
 */
#include <sys/mman.h>
#include "work.h"

enum { THERE, BACK };

/* Adds 1 to one of the two semaphores. */
static void give(int which);
/* Takes 1 from it, and waits until there is one. */
static void take(int which);

/* What the near end asks for, and the far end tells. */
static struct {
  long count;
  double cpu;
} *shared;

static double cpu_before_trips;

static void there_and_back(void) {
  give(THERE);
  take(BACK);
}

static double used_for_trips(void) {
  double here = cpu() - cpu_before_trips;
  take(BACK);
  return here + shared->cpu;
}

static void give_back(void) {
  for (;;) {
    take(THERE);
    double before = cpu();
    for (long left = shared->count; left > 0; left--) {
      take(THERE);
      give(BACK);
    }
    shared->cpu = cpu() - before;
    give(BACK);
  }
}

/* Starts the far end, and does what standard input asks for until its end. */
static void measure_semaphores(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap");
  pid_t child = start_far_end(0);
  if (!child) give_back();
  struct order order;
  while (next_order(&order)) {
    shared->count = 2 * order.count;
    cpu_before_trips = cpu();
    give(THERE);
    answer_trips(order.count, there_and_back, used_for_trips);
  }
  stop_far_end(child);
}
