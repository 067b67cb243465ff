/*
 * Fields of structs in mapped memory, in plain C, by one process.
 *
 *   struct    obeys lines on standard input: adds 1 to a field of each of so many structs, so many times
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "work.h"

struct record {
  uint8_t u8;
  uint32_t u32;
  uint64_t u64;
  double f64;
  _Atomic uint32_t atomic;
};

enum { MOST = 1 << 20 };

/* Others see what is there after each time. */
#define WALK(field)                                                 \
  for (long left = order.count; left > 0; left--) {                 \
    for (unsigned at = 0; at < order.size; at++) records[at].field++; \
    __asm__ volatile("" ::: "memory");                              \
  }

int main(void) {
  struct record *records = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (records == MAP_FAILED) fail("mmap");
  say_ready(0, MOST);
  struct order order;
  while (next_order(&order)) {
    double before = cpu(), began = now();
    if (!strcmp(order.test, "u8")) WALK(u8);
    if (!strcmp(order.test, "u32")) WALK(u32);
    if (!strcmp(order.test, "u64")) WALK(u64);
    if (!strcmp(order.test, "f64")) WALK(f64);
    if (!strcmp(order.test, "atomic")) WALK(atomic);
    answer(now() - began, (cpu() - before) / order.count);
  }
  return 0;
}
