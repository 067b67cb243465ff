/* Does one thing with a POSIX semaphore, a named one, or with OFFSET not - the one at that byte of shared memory:
 *   create NAME - VALUE MODE        init NAME OFFSET VALUE
 *   wait | try | post | value NAME OFFSET           unlink NAME -
 *   echo THERE OFFSET BACK ROUNDS   waits for THERE and posts BACK, so many times
 *   crowd NAME OFFSET THREADS       so many threads that wait for one permit each */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static sem_t *sem;

static int failed(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

static sem_t *find(const char *name, const char *offset) {
  if (strcmp(offset, "-") == 0) return sem_open(name, 0);
  int fd = shm_open(name, O_RDWR, 0);
  struct stat status;
  if (fd == -1 || fstat(fd, &status) == -1) return SEM_FAILED;
  char *memory = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? SEM_FAILED : (sem_t *)(memory + atol(offset));
}

static void *wait_once(void *argument) {
  sem_wait(sem);
  return argument;
}

static int crowd(int count) {
  pthread_t threads[64];
  for (int index = 0; index < count; index++) pthread_create(&threads[index], NULL, wait_once, NULL);
  puts("waiting");
  fflush(stdout);
  for (int index = 0; index < count; index++) pthread_join(threads[index], NULL);
  return 0;
}

static int echo(sem_t *back, int rounds) {
  if (back == SEM_FAILED) return failed("sem_open");
  for (int round = 0; round < rounds; round++) {
    if (sem_wait(sem) == -1) return failed("sem_wait");
    if (sem_post(back) == -1) return failed("sem_post");
  }
  return 0;
}

int main(int count, char **words) {
  const char *verb = words[1], *name = words[2];
  int result = 0;
  (void)count;
  if (strcmp(verb, "unlink") == 0) return sem_unlink(name) == -1 ? failed("sem_unlink") : 0;
  if (strcmp(verb, "create") == 0) {
    sem = sem_open(name, O_CREAT | O_EXCL, strtol(words[5], NULL, 8), atoi(words[4]));
    return sem == SEM_FAILED ? failed("sem_open") : 0;
  }
  sem = find(name, words[3]);
  if (sem == SEM_FAILED) return failed("sem_open");
  if (strcmp(verb, "echo") == 0) return echo(sem_open(words[4], 0), atoi(words[5]));
  if (strcmp(verb, "crowd") == 0) return crowd(atoi(words[4]));
  if (strcmp(verb, "init") == 0) result = sem_init(sem, 1, atoi(words[4]));
  else if (strcmp(verb, "wait") == 0) result = sem_wait(sem);
  else if (strcmp(verb, "try") == 0) result = sem_trywait(sem);
  else if (strcmp(verb, "post") == 0) result = sem_post(sem);
  else if (strcmp(verb, "value") == 0) {
    int value;
    result = sem_getvalue(sem, &value);
    printf("%d\n", value);
  }
  return result == -1 ? failed(verb) : 0;
}
