/*
 * The work that is measured, over whatever carries frames: a program that includes this file defines the three
 * functions declared here, opens its channel and calls near_end or far_end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Sends one message. */
static void send_frame(const void *payload, uint32_t size);
/* The next message, or NULL at the end; it is valid until the next call. `most` is what one read may ask for. */
static unsigned char *receive_frame(uint32_t *size, size_t most);
/* What to ask one read for, so that it gives one message of this size. */
static size_t exactly(uint32_t size);

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

static void must_receive(size_t most) {
  uint32_t size;
  if (!receive_frame(&size, most)) {
    fprintf(stderr, "the far end is gone\n");
    exit(1);
  }
}

static double receive_number(void) {
  uint32_t size;
  char text[32] = "";
  unsigned char *payload = receive_frame(&size, 0);
  if (!payload || size >= sizeof text) fail("the far end is gone");
  memcpy(text, payload, size);
  return atof(text);
}

static void send_number(double value) {
  char text[32];
  send_frame(text, snprintf(text, sizeof text, "%.0f", value));
}

static void far_end(void) {
  uint32_t length;
  unsigned char *payload;
  while ((payload = receive_frame(&length, 0))) {
    char command[64] = "", test[32] = "";
    unsigned size = 0;
    long count = 0;
    memcpy(command, payload, length < 63 ? length : 63);
    sscanf(command, "%31s %u %ld", test, &size, &count);
    double before = cpu();
    if (!strcmp(test, "hello")) {
      send_number(getpid());
      continue;
    }
    if (!strncmp(test, "trip", 4)) {
      for (long i = 0; i < 2 * count; i++) {
        if (!(payload = receive_frame(&length, 0))) return;
        send_frame(payload, length);
      }
    } else if (!strncmp(test, "pull", 4)) {
      unsigned char *message = calloc(1, size);
      for (long i = 0; i < count; i++) send_frame(message, size);
      free(message);
    } else {
      for (long i = 0; i < count; i++) must_receive(0);
    }
    send_number(cpu() - before);
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void near_end(void) {
  char line[64], test[32];
  unsigned size;
  long count;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%31s %u %ld", test, &size, &count) != 3) continue;
    unsigned char *message = calloc(1, size);
    double before = cpu(), began = now(), took;
    send_frame(line, strcspn(line, "\n"));
    if (!strcmp(test, "trip")) {
      began = now();
      for (long i = 0; i < count; i++) {
        send_frame(message, size);
        must_receive(0);
      }
      took = now() - began;
      double *times = malloc(count * sizeof *times), last = now();
      for (long i = 0; i < count; i++) {
        send_frame(message, size);
        must_receive(0);
        double then = now();
        times[i] = then - last;
        last = then;
      }
      qsort(times, count, sizeof *times, ascending);
      double used = cpu() - before + receive_number();
      printf("{\"nanoseconds\":%.0f,\"cpu\":%.3f,\"p50\":%.3f,\"p99\":%.3f}\n", took, used / (4 * count),
             times[count / 2] / 1e3, times[(long)(count * 0.99)] / 1e3);
      free(times);
    } else {
      /* With one write for each message, asking for exactly a frame never gives less. */
      size_t most = !strcmp(test, "pull-frames") ? exactly(size) : 0;
      for (long i = 0; i < count; i++) must_receive(most);
      took = now() - began;
      double used = cpu() - before + receive_number();
      printf("{\"nanoseconds\":%.0f,\"cpu\":%.3f}\n", took, used / count);
    }
    fflush(stdout);
    free(message);
  }
}
