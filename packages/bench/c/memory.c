/*
 * Reads and writes in mapped memory, in plain C, by one process.
 *
 *   memory near memory    obeys lines on standard input: adds 1 to each word of so many bytes, so many times
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "work.h"

enum { MOST = 1 << 20 };

int main(int count, char **args) {
  if (count != 3 || strcmp(args[1], "near")) return 2;
  int fd = memfd_create("ipc-bench", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, MOST)) fail("memfd_create");
  int32_t *words = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (words == MAP_FAILED) fail("mmap");
  say_ready(0, MOST);
  struct order order;
  while (next_order(&order)) {
    unsigned size = order.size / sizeof *words;
    double before = cpu(), began = now();
    for (long left = order.count; left > 0; left--) {
      for (unsigned at = 0; at < size; at++) words[at]++;
      /* Others see what is there after each time. */
      __asm__ volatile("" ::: "memory");
    }
    answer(now() - began, (cpu() - before) / order.count);
  }
  return 0;
}
