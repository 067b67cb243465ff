/*
 * The work of a channel, over whatever carries messages: a program that includes this file defines the three
 * functions declared here, opens its channel and calls near_end or far_end.
 */
#include "work.h"

/* Sends one message. */
static void send_frame(const void *payload, uint32_t size);
/* The next message, or NULL at the end; it is valid until the next call. `most` is what one read may ask for. */
static unsigned char *receive_frame(uint32_t *size, size_t most);
/* What to ask one read for, so that it gives one message of this size. */
static size_t exactly(uint32_t size);

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

static unsigned char *message;
static unsigned message_size;
static double cpu_before;

static void trip(void) {
  send_frame(message, message_size);
  must_receive(0);
}

/* The CPU time of both ends since the order came; the far end tells its own behind its last message. */
static double used_by_both(void) {
  double here = cpu() - cpu_before;
  return here + receive_number();
}

static void near_end(void) {
  struct order order;
  while (next_order(&order)) {
    message = calloc(1, message_size = order.size);
    cpu_before = cpu();
    double began = now();
    send_frame(order.text, strlen(order.text));
    if (!strcmp(order.test, "trip")) answer_trips(order.count, trip, used_by_both);
    else {
      /* With one write for each message, asking for exactly a frame never gives less. */
      size_t most = !strcmp(order.test, "pull-frames") ? exactly(order.size) : 0;
      for (long i = 0; i < order.count; i++) must_receive(most);
      double took = now() - began;
      answer(took, used_by_both() / order.count);
    }
    free(message);
  }
}
