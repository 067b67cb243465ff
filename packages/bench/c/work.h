/* What every program here does: it obeys lines on standard input, TEST SIZE COUNT, and answers in JSON. */
#ifndef WORK_H
#define WORK_H
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

/* CPU time of this process in microseconds. */
static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

/* A line of standard input. */
struct order {
  char text[64], test[32];
  unsigned size;
  long count;
};

/* Reads the next one; 0 at the end. */
static int next_order(struct order *order) {
  while (fgets(order->text, sizeof order->text, stdin)) {
    order->text[strcspn(order->text, "\n")] = 0;
    if (sscanf(order->text, "%31s %u %ld", order->test, &order->size, &order->count) == 3) return 1;
  }
  return 0;
}

/* Says that the near end is ready, with the far end, if there is one, for at most so many bytes; 0: for any. */
static void say_ready(pid_t far, long most) {
  printf("{\"ready\":true,\"pids\":[");
  if (far) printf("%d", far);
  printf("]");
  if (most) printf(",\"maxMessageSize\":%ld", most);
  printf("}\n");
  fflush(stdout);
}

/* Starts the far end: 0 there. The near end says that it is ready. */
static inline pid_t start_far_end(long most) {
  /* An interrupt is for who has started us, and ends our input: what the kernel keeps is removed then. */
  signal(SIGINT, SIG_IGN);
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child) say_ready(child, most);
  return child;
}

/* Ends a far end that nothing tells of the end. */
static inline void stop_far_end(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void answer(double took, double used) {
  printf("{\"nanoseconds\":%.0f,\"cpu\":%.3f}\n", took, used);
  fflush(stdout);
}

static inline int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Does round trips, and as many again for the time of each; `used` then tells the CPU time of all of it. */
static inline void answer_trips(long count, void (*trip)(void), double (*used)(void)) {
  double began = now();
  for (long i = 0; i < count; i++) trip();
  double took = now() - began;
  double *times = malloc(count * sizeof *times), last = now();
  for (long i = 0; i < count; i++) {
    trip();
    double then = now();
    times[i] = then - last;
    last = then;
  }
  qsort(times, count, sizeof *times, ascending);
  printf("{\"nanoseconds\":%.0f,\"cpu\":%.3f,\"p50\":%.3f,\"p99\":%.3f}\n", took, used() / (4 * count),
         times[count / 2] / 1e3, times[(long)(count * 0.99)] / 1e3);
  fflush(stdout);
  free(times);
}
#endif
