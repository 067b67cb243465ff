/* A program that uses the mutex at the beginning of a mapped file, and the counter 64 bytes behind it. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void check(int code, const char *what) {
  if (code == 0) return;
  fprintf(stderr, "%s: %s\n", what, strerror(code));
  exit(1);
}

static void make(pthread_mutex_t *mutex, int robust, int type) {
  pthread_mutexattr_t attributes;
  check(pthread_mutexattr_init(&attributes), "pthread_mutexattr_init");
  check(pthread_mutexattr_settype(&attributes, type), "pthread_mutexattr_settype");
  check(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), "pthread_mutexattr_setpshared");
  check(pthread_mutexattr_setrobust(&attributes, robust), "pthread_mutexattr_setrobust");
  check(pthread_mutex_init(mutex, &attributes), "pthread_mutex_init");
}

/* What pthread_mutex_lock says, within a time that nothing takes that works. */
static int lock(pthread_mutex_t *mutex) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  return pthread_mutex_timedlock(mutex, &until);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *verb = argv[1];
  if (strcmp(verb, "abi") == 0) {
    printf("{\"mutex\":%zu,\"attributes\":%zu,\"PTHREAD_PROCESS_SHARED\":%d,\"PTHREAD_MUTEX_ROBUST\":%d,"
           "\"PTHREAD_MUTEX_NORMAL\":%d,\"PTHREAD_MUTEX_ERRORCHECK\":%d}\n",
           sizeof(pthread_mutex_t), sizeof(pthread_mutexattr_t), PTHREAD_PROCESS_SHARED,
           PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK);
    return 0;
  }
  int fd = open(argv[2], O_RDWR);
  if (fd == -1) check(errno, "open");
  pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mutex == MAP_FAILED) check(errno, "mmap");
  volatile int *counter = (int *)((char *)mutex + 64);

  if (strcmp(verb, "make") == 0) {
    make(mutex, PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_NORMAL);
  } else if (strcmp(verb, "make-stalled") == 0) {
    make(mutex, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_NORMAL);
  } else if (strcmp(verb, "make-recursive") == 0) {
    make(mutex, PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_RECURSIVE);
  } else if (strcmp(verb, "hold") == 0) {
    check(lock(mutex), "lock");
    puts("held");
    fflush(stdout);
    getchar();
    check(pthread_mutex_unlock(mutex), "unlock");
  } else if (strcmp(verb, "die") == 0) {
    int code = lock(mutex);
    if (code != EOWNERDEAD) check(code, "lock");
    kill(getpid(), SIGKILL);
  } else if (strcmp(verb, "lock") == 0) {
    /* Prints what locking says, and repairs what was abandoned. */
    int code = lock(mutex);
    printf("%d\n", code);
    if (code == EOWNERDEAD) check(pthread_mutex_consistent(mutex), "consistent");
    if (code == 0 || code == EOWNERDEAD) check(pthread_mutex_unlock(mutex), "unlock");
  } else if (strcmp(verb, "give-up") == 0) {
    int code = lock(mutex);
    printf("%d\n", code);
    check(pthread_mutex_unlock(mutex), "unlock");
  } else if (strcmp(verb, "count") == 0) {
    for (int left = atoi(argv[3]); left > 0; left--) {
      int code = lock(mutex);
      if (code == EOWNERDEAD) code = pthread_mutex_consistent(mutex);
      check(code, "lock");
      *counter = *counter + 1;
      check(pthread_mutex_unlock(mutex), "unlock");
    }
  } else {
    return 2;
  }
  return 0;
}
