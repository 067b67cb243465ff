/* The other half of sync_struct_with_c.ts, which writes tally.h, and compiles and starts this. */
#define _GNU_SOURCE
#include "tally.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

struct shared {
  pthread_mutex_t mutex;
  _Alignas(64) struct tally tally;
};

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int fd = shm_open(argv[1], O_RDWR, 0);
  if (fd == -1) {
    perror(argv[1]);
    return 1;
  }
  struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (shared == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  for (int each = 0; each < 20000; each++) {
    int result = pthread_mutex_lock(&shared->mutex);
    if (result == EOWNERDEAD) {
      /* The other program was killed with the lock held, perhaps between the two. */
      shared->tally.sum = shared->tally.count * 0.25;
      pthread_mutex_consistent(&shared->mutex);
    } else if (result != 0) {
      return 1;
    }
    shared->tally.sum += 0.25;
    shared->tally.count++;
    pthread_mutex_unlock(&shared->mutex);
  }
  return 0;
}
