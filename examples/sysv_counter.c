/* The other half of sysv_counter.ts, which compiles and starts it: increases the counter so many times. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { LOCK, START };

static int set;

static void operate(unsigned short member, short by, short flags) {
  struct sembuf operation = {.sem_num = member, .sem_op = by, .sem_flg = flags};
  if (semop(set, &operation, 1) == -1) {
    perror("semop");
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  volatile int64_t *counter = shmat(atoi(argv[1]), NULL, 0);
  if (counter == (void *)-1) {
    perror("shmat");
    return 1;
  }
  set = atoi(argv[2]);
  operate(START, -1, 0);
  operate(START, 0, 0); /* waits for zero: both are there */
  for (int time = atoi(argv[3]); time > 0; time--) {
    operate(LOCK, -1, SEM_UNDO);
    ++*counter;
    operate(LOCK, +1, SEM_UNDO);
  }
  return 0;
}
